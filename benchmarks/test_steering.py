"""Reading many texts at once and pooling on the device, against one text at a time. Printed, never gating on seconds.

The plain reference runs the whole model on one text, lets the SAE encode every position, and averages. The library
reads padded batches, leaves the model after the last block it needs, and keeps one row a text.
"""

from __future__ import annotations

import time
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

TEXTS = 512
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
    random = np.random.default_rng(seed)
    return [" ".join(f"w{i}" for i in random.integers(4, 2000, random.integers(8, 40))) for _ in range(count)]


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


@torch.inference_mode()
def one_at_a_time(writer: Writer, given: list[str], encode: Callable[[torch.Tensor], torch.Tensor]) -> np.ndarray:
    rows = []
    for text in given:
        ids = torch.tensor([writer.tokenizer.encode(text)])
        hidden = writer.model(ids, output_hidden_states=True).hidden_states[LAYER + 1]
        rows.append(encode(hidden)[0, 1:].mean(0).numpy())
    return np.stack(rows)


def test_reading_in_batches(writer: Writer, encode: Any, benchmark: Any) -> None:
    given = texts(TEXTS)
    pooled(writer, given[:32], {LAYER: encode})
    slow, plain = seconds(lambda: one_at_a_time(writer, given, encode))
    fast, found = seconds(lambda: pooled(writer, given, {LAYER: encode})[LAYER])
    assert np.allclose(found, plain, atol=1e-4)
    print(f"\n{TEXTS / slow:.0f} texts/s one at a time, {TEXTS / fast:.0f} texts/s in batches: {slow / fast:.1f} times")
    benchmark.pedantic(pooled, (writer, given, {LAYER: encode}), rounds=3)


def test_memory_does_not_grow_with_the_texts(writer: Writer, encode: Any) -> None:
    """The largest piece that is ever encoded is a batch, however many texts there are."""
    largest = {}
    for count in (256, 1024):
        sizes: list[int] = []
        pooled(
            writer, texts(count), {LAYER: lambda hidden, sizes=sizes: sizes.append(hidden.numel()) or encode(hidden)}
        )
        largest[count] = max(sizes)
    print(f"\nlargest piece: {largest[256]:,} numbers for 256 texts, {largest[1024]:,} for 1,024")
    assert largest[1024] <= 32 * 40 * 96


def test_writing_in_batches(writer: Writer, benchmark: Any) -> None:
    prompts = texts(64, 1)
    slow, alone = seconds(lambda: generate(writer, prompts, Sampling(24, batch=1)))
    fast, together = seconds(lambda: generate(writer, prompts, Sampling(24, batch=64)))
    assert alone == together
    print(f"\n64 prompts: {slow:.2f} s one at a time, {fast:.2f} s together: {slow / fast:.1f} times")
    benchmark.pedantic(generate, (writer, prompts, Sampling(24, batch=64)), rounds=3)
