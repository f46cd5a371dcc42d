"""Task 3, reading texts through the SAEs: many at once and pooled on the device, against one text at a time.

The plain reference runs the whole model on one text, lets the SAE encode every position, and averages. The library
reads padded batches, leaves the model after the last block it needs, and keeps one row a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import Gemma2Config, Gemma2ForCausalLM, PreTrainedTokenizerFast

from neoai_utils.steering.features import pooled
from neoai_utils.steering.generation import Sampling, Writer, generate

LAYER = 2


@pytest.fixture(scope="module")
def writer() -> Writer:
    """A Gemma 2 of six narrow blocks, which like a GPU has more to do per call than per number."""
    torch.manual_seed(0)
    config = Gemma2Config(
        vocab_size=2000, hidden_size=96, intermediate_size=256, num_hidden_layers=6, num_attention_heads=4,
        num_key_value_heads=2, head_dim=24, sliding_window=64, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    vocabulary = ["<pad>", "<bos>", "<eos>", "<unk>", *(f"w{i}" for i in range(4, 2000))]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(vocabulary)}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words = PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")
    return Writer(Gemma2ForCausalLM(config).eval(), words)


@pytest.fixture(scope="module")
def encode() -> Callable[[torch.Tensor], torch.Tensor]:
    torch.manual_seed(0)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=96, d_sae=384, k=8, dtype="float32", device="cpu"))
    return sae.encode


def texts(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{i}" for i in rng.integers(4, 2000, rng.integers(8, 40))) for _ in range(count)]


@torch.inference_mode()
def one_at_a_time(writer: Writer, given: list[str], encode: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    rows = []
    for text in given:
        ids = torch.tensor([writer.tokenizer.encode(text)])
        hidden = writer.model(ids, output_hidden_states=True).hidden_states[LAYER + 1]
        rows.append(encode(hidden)[0, 1:].mean(0).numpy())
    return np.stack(rows)


def test_reading_in_batches(against, writer: Writer, encode: Any) -> None:
    given = texts(512)
    found, plain = against("3 · SAE features, 512 texts", lambda: one_at_a_time(writer, given, encode),
                           lambda: pooled(writer, given, {LAYER: encode})[LAYER])  # fmt: skip
    assert np.allclose(found, plain, atol=1e-4)


def test_writing_in_batches(against, writer: Writer) -> None:
    prompts = texts(64, 1)
    together, alone = against("3 · writing on, 64 prompts", lambda: generate(writer, prompts, Sampling(24, batch=1)),
                              lambda: generate(writer, prompts, Sampling(24, batch=64)))  # fmt: skip
    assert alone == together


def test_memory_does_not_grow_with_the_texts(writer: Writer, encode: Any) -> None:
    """The largest piece that is ever encoded is a batch, however many texts there are."""
    sizes: list[int] = []
    pooled(writer, texts(1024), {LAYER: lambda hidden: sizes.append(hidden.numel()) or encode(hidden)})
    assert max(sizes) <= 32 * 40 * 96


def test_cost_of_reading(growth, writer: Writer, encode: Any) -> None:
    def prepare(size):
        given = texts(size)
        return lambda: pooled(writer, given, {LAYER: encode})

    growth("3 · SAE features, texts", prepare, 256)
