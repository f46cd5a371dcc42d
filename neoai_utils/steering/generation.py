"""Text from a causal language model: seeded for each prompt, batched, with a key-value cache; and its perplexity.

Every prompt draws its own random numbers, from the seed and the prompt's own words. So a text depends neither on the
other prompts nor on how they were put into batches (but for the rounding of the arithmetic), and two runs that differ
in a steering vector share their luck, which makes their difference less noisy.
"""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neoai_utils.runtime import refuse_nan

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Sampling", "Writer", "batches", "encode", "generate", "perplexity", "uniform"]


@dataclass(frozen=True)
class Writer:
    """A causal language model of `transformers` with its tokenizer.

    Attributes:
        model: in evaluation mode.
        tokenizer: the model's own.
        special: whether a text starts with the tokenizer's special tokens (Gemma's `<bos>` must stand there).
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    special: bool = True


@dataclass(frozen=True)
class Sampling:
    """How texts are drawn. None of these may be changed to win the competition.

    Attributes:
        new_tokens: tokens to write at most.
        temperature: logits are divided by it; 1 in the competition.
        seed: of the random numbers.
        batch: prompts at a time.
    """

    new_tokens: int
    temperature: float = 1.0
    seed: int = 0
    batch: int = 64


def batches(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Yield the texts' places in batches of similar length, which need little padding."""
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    yield from (order[start : start + size] for start in range(0, len(order), size))


def encode(writer: Writer, texts: Sequence[str], *, side: str, longest: int | None = None) -> tuple[Tensor, Tensor]:
    """Return token ids and attention mask, both (texts, length) int64, on the model's device.

    Args:
        writer: whose tokenizer is asked; it is not changed.
        texts: none of them empty.
        side: where padding goes: "left" for writing, "right" for reading.
        longest: tokens kept of a text.

    Raises:
        ValueError: a text has no tokens.
    """
    ids = [writer.tokenizer.encode(text, add_special_tokens=writer.special)[:longest] for text in texts]
    if not all(ids):
        raise ValueError("a text has no tokens: there is nothing to read or to go on from")
    width = max(map(len, ids))
    filler = writer.tokenizer.pad_token_id or 0
    rows, mask = torch.full((len(ids), width), filler), torch.zeros(len(ids), width, dtype=torch.int64)
    for i, tokens in enumerate(ids):
        place = slice(width - len(tokens), None) if side == "left" else slice(len(tokens))
        rows[i, place], mask[i, place] = torch.tensor(tokens), 1
    return rows.to(writer.model.device), mask.to(writer.model.device)


def uniform(prompt: str, count: int, seed: int) -> NDArray[np.float64]:
    """Return `count` random numbers in [0, 1) that belong to this prompt and this seed alone."""
    return np.random.default_rng((seed, zlib.crc32(prompt.encode()))).random(count)


@torch.inference_mode()
def generate(writer: Writer, prompts: Sequence[str], sampling: Sampling) -> list[str]:
    """Return each prompt with its continuation.

    Raises:
        ValueError: a prompt has no tokens.
        NotANumberError: the model's answer is NaN.
    """
    texts = [""] * len(prompts)
    for places in batches(prompts, sampling.batch):
        chosen = [prompts[i] for i in places]
        written = _continue(writer, chosen, sampling)
        for i, tokens in zip(places, written, strict=True):
            texts[i] = prompts[i] + writer.tokenizer.decode(tokens, skip_special_tokens=True)
    return texts


def _continue(writer: Writer, prompts: Sequence[str], sampling: Sampling) -> list[list[int]]:
    """Draw the continuations of one batch by inverting the cumulated probabilities at the prompts' own numbers."""
    from transformers import DynamicCache

    model, ends = writer.model, _ends(writer)
    ids, mask = encode(writer, prompts, side="left")
    numbers = np.stack([uniform(prompt, sampling.new_tokens, sampling.seed) for prompt in prompts])
    luck = torch.from_numpy(numbers.astype(np.float32)).to(ids.device)
    position = (mask.cumsum(1) - 1).clamp(min=0)
    # filled in place; older versions of transformers call the argument `past_key_values`, newer ones `cache`
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    cache = {name: DynamicCache()}
    done = torch.zeros(len(prompts), dtype=torch.bool, device=ids.device)
    drawn: list[Tensor] = []
    for step in range(sampling.new_tokens):
        found = model(ids, attention_mask=mask, position_ids=position, use_cache=True, logits_to_keep=1, **cache)
        chances = (found.logits[:, -1].float() / sampling.temperature).softmax(-1).cumsum(-1)
        refuse_nan(chances[:, -1], "the next word's chances", model.dtype)
        # The last sum is not exactly 1: scale the number, or the draw could fall off the end.
        token = torch.searchsorted(chances, luck[:, step : step + 1] * chances[:, -1:]).clamp(max=chances.shape[1] - 1)
        drawn.append(torch.where(done[:, None], ends[0], token))
        done = done | torch.isin(token[:, 0], ends)
        if done.all():
            break
        ids, mask = drawn[-1], torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        position = position[:, -1:] + 1
    stops = set(ends.tolist())
    return [_until(row, stops) for row in torch.cat(drawn, dim=1).tolist()]


def _ends(writer: Writer) -> Tensor:
    """Return the ids that end a text (1-D int64), at least one."""
    found = writer.model.generation_config.eos_token_id if writer.model.generation_config else None
    found = writer.tokenizer.eos_token_id if found is None else found
    values = [-1] if found is None else found if isinstance(found, list) else [found]
    return torch.tensor(values, device=writer.model.device)


def _until(tokens: list[int], stops: set[int]) -> list[int]:
    return next((tokens[:i] for i, token in enumerate(tokens) if token in stops), tokens)


@torch.inference_mode()
def perplexity(writer: Writer, prompts: Sequence[str], texts: Sequence[str], batch: int = 32) -> float:
    """Return the perplexity of the continuations, given their prompts: how surprised the writer is by a token.

    Args:
        writer: the unsteered one.
        prompts: (n) beginnings.
        texts: (n) prompts with their continuations.
        batch: texts at a time.

    Raises:
        ValueError: no text goes on after its prompt.
        NotANumberError: the model's answer is NaN.
    """
    total, count = 0.0, 0
    for places in batches(texts, batch):
        ids, mask = encode(writer, [texts[i] for i in places], side="right")
        starts = [len(writer.tokenizer.encode(prompts[i], add_special_tokens=writer.special)) for i in places]
        position = torch.arange(ids.shape[1], device=ids.device)
        wanted = (mask == 1) & (position >= torch.tensor(starts, device=ids.device)[:, None])
        first = max(1, min(starts))  # no logits are needed for what stands before the shortest prompt's end
        kept = ids.shape[1] - first + 1
        logits = writer.model(ids, attention_mask=mask, logits_to_keep=kept).logits[:, :-1].float()
        surprise = functional.cross_entropy(logits.transpose(1, 2), ids[:, first:], reduction="none")
        refuse_nan(surprise, "the words' perplexity", writer.model.dtype)
        total += float(surprise[wanted[:, first:]].sum())
        count += int(wanted[:, first:].sum())
    if not count:
        raise ValueError("no text goes on after its prompt: there is nothing to be surprised by")
    return float(np.exp(total / count))
