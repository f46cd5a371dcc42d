"""The budget of memory, and the arithmetic of the competition's models on a card of 14 GB."""

from __future__ import annotations

import pytest
import torch
from transformers import DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

from benchmarks.real_size import SHAPES
from neoai_utils.steering import memory
from neoai_utils.steering.losses import text_bytes
from tests.steering.conftest import KINDS, tiny

GB = 10**9


@pytest.fixture(scope="module")
def gemma() -> Gemma2ForCausalLM:
    with torch.device("meta"):
        return Gemma2ForCausalLM(Gemma2Config(**SHAPES["gemma-2-2b"])).to(torch.float16)


def weights(model: torch.nn.Module) -> int:
    return sum(values.numel() * values.dtype.itemsize for values in model.parameters())


def test_slices_keep_the_order_and_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "BUDGET", 100)
    assert list(memory.slices(7, 30)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(memory.slices(2, 1000)) == [slice(0, 1), slice(1, 2)], "one row is the least"


@pytest.mark.parametrize("kind", KINDS)
def test_the_arithmetic_reads_every_configuration(kind: str) -> None:
    model = tiny(kind).model
    heads = 4 if kind == "gpt2" else 2
    assert memory.cache_bytes(model) == 2 * 3 * heads * 6 * 4
    assert memory.block_bytes(model, 10) >= 4 * (8 * 24 + 4 * 48)


def test_everything_fits_on_a_t4(gemma: Gemma2ForCausalLM) -> None:
    """Weights by count, the largest batch by the budget."""
    from transformers import DebertaV2Config

    with torch.device("meta"):
        detector = DebertaV2ForSequenceClassification(DebertaV2Config(**SHAPES["deberta-v3-large"], num_labels=1))
    saes = 5 * 2 * SHAPES["sae"]["d_in"] * SHAPES["sae"]["d_sae"] * 4
    assert weights(gemma) == pytest.approx(5.23 * GB, rel=0.01)
    assert weights(detector) == pytest.approx(1.74 * GB, rel=0.01)
    assert weights(gemma) + weights(detector) + saes + memory.BUDGET < 12 * GB
    longest = text_bytes(gemma, 256, 1, trained_blocks=16)
    assert longest < memory.BUDGET, "one text of 256 tokens is learnt from at a time"
    assert text_bytes(gemma, 1024, 256) < 4.5 * GB, "a text of 1,024 tokens is read alone, beyond the budget"


def test_the_batches_of_the_competition(gemma: Gemma2ForCausalLM) -> None:
    """Prompts of 60 tokens are continued 64 at a time; the loss of 128 tokens is taken of a few texts."""
    prompt = 188 * memory.cache_bytes(gemma) + 60 * memory.block_bytes(gemma, 60) + memory.logit_bytes(gemma)
    assert list(memory.slices(64, prompt)) == [slice(0, 64)]
    assert 2 <= next(memory.slices(64, text_bytes(gemma, 188, 60))).stop <= 8
