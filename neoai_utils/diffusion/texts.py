"""What the text encoder makes of prompts, and which position of one prompt stands for which of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neoai_utils.errors import ParameterError
from neoai_utils.runtime import refuse_nan

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["aligned", "paired_states", "pooled", "states", "token_ids"]


def token_ids(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, length) int64 pieces of the prompts, padded and cut to the tokenizer's length."""
    words = pipe.tokenizer(
        list(prompts), padding="max_length", truncation=True, max_length=pipe.tokenizer.model_max_length,
        return_tensors="pt",
    )  # fmt: skip
    ids: Tensor = words["input_ids"]
    return ids.to(pipe.text_encoder.device)


def states(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, length, width) states of the text encoder, as cross-attention sees them."""
    found = torch.cat([pipe.text_encoder(part)[0] for part in torch.split(token_ids(pipe, prompts), 256)])
    refuse_nan(found, "the states of the prompts")
    return found


def pooled(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, width) states at the end of each text, which sum it up."""
    ids = token_ids(pipe, prompts)
    ends = (ids == pipe.tokenizer.eos_token_id).int().argmax(dim=1)
    return states(pipe, prompts)[torch.arange(len(ids), device=ids.device), ends]


def aligned(source: Sequence[int], target: Sequence[int], end: int) -> list[int]:
    """Return for every position of `source` the one of `target` that stands for it.

    Pieces that both texts begin or end with stand for each other. Of the part between, where a name was replaced, the
    last pieces stand for each other, and what is too much in the source is sent to the target's first piece of that
    part. Whatever follows the first end is padding.

    Args:
        source: pieces of the one text, padded.
        target: as many of the other.
        end: the piece that ends a text and pads it.

    Raises:
        ParameterError: the lengths differ.
    """
    if len(source) != len(target):
        raise ParameterError(f"both texts must be padded to one length, got {len(source)} and {len(target)}.")
    old, new = (_until(ids, end) for ids in (source, target))
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < min(len(old), len(new)) - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    shift = len(new) - len(old)
    first = min(start, len(new) - 1)
    places = [at if at < start else max(at + shift, first) for at in range(len(old))]
    padding = [min(max(at + shift, len(new)), len(source) - 1) for at in range(len(old), len(source))]
    return places + padding


def _until(ids: Sequence[int], end: int) -> list[int]:
    """Return the pieces up to the first end, which is left out."""
    whole = list(ids)
    return whole[: whole.index(end)] if end in whole else whole


@torch.no_grad()
def paired_states(
    pipe: StableDiffusionPipeline, sources: Sequence[str], targets: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Return states of source prompts and, position by position, what stands for them in the target prompts.

    Args:
        pipe: whose text encoder is asked.
        sources: n prompts.
        targets: n prompts.

    Returns:
        Two (n x length, width) tensors.
    """
    end = pipe.tokenizer.eos_token_id
    pairs = zip(token_ids(pipe, sources).tolist(), token_ids(pipe, targets).tolist(), strict=True)
    places = torch.tensor([aligned(old, new, end) for old, new in pairs], device=pipe.text_encoder.device)
    goal = states(pipe, targets)
    moved = goal.gather(1, places[..., None].expand(-1, -1, goal.shape[-1]))
    return states(pipe, sources).flatten(0, 1), moved.flatten(0, 1)
