"""The budget of memory, and the arithmetic of the competition's models on a card of 14 GB."""

from __future__ import annotations

import pytest
import torch
from transformers import DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

from benchmarks.real_size import SHAPES
from neoai_utils.steering import memory
from neoai_utils.steering.features import _POSITIONS
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import steered
from neoai_utils.steering.losses import text_bytes, token_losses
from tests.steering.conftest import KINDS, peak_bytes, tiny

GB = 10**9


@pytest.fixture(scope="module")
def gemma() -> Gemma2ForCausalLM:
    with torch.device("meta"):
        model = Gemma2ForCausalLM(Gemma2Config(**SHAPES["gemma-2-2b"]))
    return model.to(torch.float16).eval().requires_grad_(False)


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


@pytest.mark.parametrize(("texts", "length", "first", "trained"), [(2, 188, 60, 0), (1, 256, 20, 16)])
def test_losses_at_full_width_stay_below_the_arithmetic(
    gemma, texts: int, length: int, first: int, trained: int
) -> None:
    """Tensors without numbers are counted: what a network on the meta device makes has sizes alone."""
    ids = torch.ones(texts, length, dtype=torch.int64, device="meta")

    def work() -> None:
        step = torch.zeros(SHAPES["gemma-2-2b"]["hidden_size"], device="meta", requires_grad=trained > 0)
        changes = dict.fromkeys(range(26 - trained, 26), lambda hidden: hidden + step.to(hidden))
        with steered(gemma, changes), torch.set_grad_enabled(trained > 0):
            loss = token_losses(Writer(gemma, None), ids, torch.ones_like(ids), first).sum()
            if trained:
                loss.backward()

    expected = texts * text_bytes(gemma, length, first, trained_blocks=trained)
    assert 0.4 * expected < peak_bytes(work, gemma) < expected < memory.BUDGET


@torch.inference_mode()
def test_reading_at_full_width_stays_below_the_arithmetic(gemma: Gemma2ForCausalLM) -> None:
    ids = torch.ones(8, 512, dtype=torch.int64, device="meta")
    mask = torch.ones_like(ids)
    counted = peak_bytes(lambda: gemma(ids, attention_mask=mask, use_cache=False, logits_to_keep=1), gemma)
    expected = ids.numel() * memory.block_bytes(gemma, 512)
    assert 0.3 * expected < counted < expected


@torch.inference_mode()
def test_the_latents_of_a_part_stay_within_the_budget() -> None:
    from sae_lens import JumpReLUSAE, JumpReLUSAEConfig

    sae = JumpReLUSAE(JumpReLUSAEConfig(**SHAPES["sae"], device="meta"))
    hidden = torch.zeros(16, _POSITIONS // 16, SHAPES["sae"]["d_in"], device="meta")
    assert 1 * GB < peak_bytes(lambda: sae.encode(hidden), sae) < memory.BUDGET
