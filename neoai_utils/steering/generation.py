"""Text from a causal language model: seeded for each prompt, batched, with a key-value cache.

The random numbers of a prompt depend on the seed and the prompt alone. So a text depends neither on the other prompts
nor on the batches (but for the rounding of the arithmetic), and two runs that differ in a steering vector use the same
random numbers, which makes their difference less noisy.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neoai_utils.arrays import Float64
from neoai_utils.runtime import progress, refuse_nan
from neoai_utils.steering.memory import block_bytes, cache_bytes, logit_bytes, slices
from neoai_utils.steering.precision import retried

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Sampling", "Writer", "batches", "encode", "generate", "uniform"]


@dataclass(frozen=True)
class Writer:
    """A causal language model of `transformers` with its tokenizer.

    Attributes:
        model: in evaluation mode.
        tokenizer: the model's.
        add_special_tokens: whether a text starts with the tokenizer's special tokens (Gemma needs its `<bos>`).
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    add_special_tokens: bool = True


@dataclass(frozen=True)
class Sampling:
    """How texts are sampled. The competition fixes all of these.

    Attributes:
        new_tokens: tokens to generate at most.
        temperature: logits are divided by it; 1 in the competition.
        seed: of the random numbers.
        batch: prompts at a time, at most; fewer where memory is short.
    """

    new_tokens: int
    temperature: float = 1.0
    seed: int = 0
    batch: int = 64


def batches(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Yield the texts' indices in batches of similar length, which need little padding."""
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    yield from (order[start : start + size] for start in range(0, len(order), size))


def encode(writer: Writer, texts: Sequence[str], *, side: str, max_length: int | None = None) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both (texts, length) int64, on the model's device.

    Args:
        writer: its tokenizer is used and not changed.
        texts: none of them empty.
        side: of the padding: "left" for generating, "right" for reading.
        max_length: tokens kept of a text.

    Raises:
        ValueError: a text has no tokens.
    """
    ids = [writer.tokenizer.encode(text, add_special_tokens=writer.add_special_tokens)[:max_length] for text in texts]
    if not all(ids):
        raise ValueError("a text has no tokens: there is nothing to read or to continue")
    width = max(map(len, ids))
    padding = writer.tokenizer.pad_token_id or 0
    rows, mask = torch.full((len(ids), width), padding), torch.zeros(len(ids), width, dtype=torch.int64)
    for i, tokens in enumerate(ids):
        columns = slice(width - len(tokens), None) if side == "left" else slice(len(tokens))
        rows[i, columns], mask[i, columns] = torch.tensor(tokens), 1
    return rows.to(writer.model.device), mask.to(writer.model.device)


def uniform(prompt: str, count: int, seed: int) -> Float64:
    """Return random numbers in [0, 1), (count), that depend on this prompt and this seed alone."""
    return np.random.default_rng((seed, zlib.crc32(prompt.encode()))).random(count)


@retried
@torch.inference_mode()
def generate(writer: Writer, prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """Return each prompt with its continuation.

    Raises:
        ValueError: a prompt has no tokens.
        NotANumberError: the model's output is NaN.
    """
    texts = [""] * len(prompts)
    fitting = [
        indices[part]
        for indices in batches(prompts, sampling.batch)
        for part in slices(len(indices), _bytes_per_prompt(writer, [prompts[i] for i in indices], sampling))
    ]
    for indices in progress(fitting, "writing"):
        continuations = _continue(writer, [prompts[i] for i in indices], sampling)
        for i, tokens in zip(indices, continuations, strict=True):
            texts[i] = prompts[i] + writer.tokenizer.decode(tokens, skip_special_tokens=True)
    return texts


def _bytes_per_prompt(writer: Writer, prompts: Sequence[str], sampling: Sampling) -> int:
    """Return the bytes that the longest of the prompts takes: its cache at the end, its first pass, its logits."""
    length = encode(writer, prompts, side="left")[0].shape[1]
    cache = (length + sampling.new_tokens) * cache_bytes(writer.model)
    return cache + length * block_bytes(writer.model, length) + logit_bytes(writer.model)


def _continue(writer: Writer, prompts: Sequence[str], sampling: Sampling) -> list[list[int]]:
    """Return the token ids of one batch's continuations, sampled by inverting the cumulated probabilities."""
    from transformers import DynamicCache

    model, end_tokens = writer.model, _end_tokens(writer)
    ids, mask = encode(writer, prompts, side="left")
    numbers = np.stack([uniform(prompt, sampling.new_tokens, sampling.seed) for prompt in prompts])
    uniforms = torch.from_numpy(numbers.astype(np.float32))
    position = (mask.cumsum(1) - 1).clamp(min=0)
    # the cache is filled in place; older versions of transformers call it `past_key_values`, newer ones `cache`
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    cache = {name: DynamicCache()}
    done = torch.zeros(len(prompts), dtype=torch.bool, device=ids.device)
    sampled: list[Tensor] = []
    for step in range(sampling.new_tokens):
        output = model(ids, attention_mask=mask, position_ids=position, use_cache=True, logits_to_keep=1, **cache)
        # On a GPU, a cumulated sum can differ from one call to the next: it is taken on the CPU.
        sums = (output.logits[:, -1].float() / sampling.temperature).softmax(-1).cpu().cumsum(-1)
        refuse_nan(sums[:, -1], "the next word's probabilities", model.dtype)
        # The last sum is not exactly 1: scale the number, or the index could lie beyond the vocabulary.
        token = torch.searchsorted(sums, uniforms[:, step : step + 1] * sums[:, -1:]).clamp(max=sums.shape[1] - 1)
        token = token.to(ids.device)
        sampled.append(torch.where(done[:, None], end_tokens[0], token))
        done = done | torch.isin(token[:, 0], end_tokens)
        if done.all():
            break
        ids, mask = sampled[-1], torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        position = position[:, -1:] + 1
    stops = set(end_tokens.tolist())
    return [_until(row, stops) for row in torch.cat(sampled, dim=1).tolist()]


def _end_tokens(writer: Writer) -> Tensor:
    """Return the ids that end a text (1-D int64), at least one."""
    eos = writer.model.generation_config.eos_token_id if writer.model.generation_config else None
    eos = writer.tokenizer.eos_token_id if eos is None else eos
    values = [-1] if eos is None else eos if isinstance(eos, list) else [eos]
    return torch.tensor(values, device=writer.model.device)


def _until(tokens: list[int], stops: set[int]) -> list[int]:
    return next((tokens[:i] for i, token in enumerate(tokens) if token in stops), tokens)
