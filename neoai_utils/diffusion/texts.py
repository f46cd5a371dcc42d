"""States of the text encoder, and which position of one prompt corresponds to which of another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neoai_utils.errors import ParameterError
from neoai_utils.runtime import progress, refuse_nan

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["aligned", "paired_states", "pooled", "states", "token_ids"]

_BATCH = 256  # texts at once; 77 tokens of each take 0.5 GB in the encoder's widest layer in float32


def token_ids(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, length) int64 token ids of the prompts, padded and cut to the tokenizer's length."""
    inputs = pipe.tokenizer(
        list(prompts), padding="max_length", truncation=True, max_length=pipe.tokenizer.model_max_length,
        return_tensors="pt",
    )  # fmt: skip
    ids: Tensor = inputs["input_ids"]
    return ids.to(pipe.text_encoder.device)


@torch.no_grad()
def states(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, length, width) states of the text encoder, the input of cross-attention.

    Those of Stable Diffusion's 77 positions of 768 numbers take 0.12 MB a prompt in half precision.

    Raises:
        NotANumberError: a state is not a number.
    """
    result = torch.cat([pipe.text_encoder(part)[0] for part in torch.split(token_ids(pipe, prompts), _BATCH)])
    refuse_nan(result, "the states of the prompts")
    return result


@torch.no_grad()
def pooled(pipe: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Return (n, width) states at the end of each text; these depend on the whole text.

    A state depends only on the tokens before it, so the padding behind a text is not read. One word is then three
    tokens and not 77, and the states of a whole vocabulary are never held at once (33,000 words would take 4 GB in
    half precision).

    Raises:
        NotANumberError: a state is not a number.
    """
    ids = token_ids(pipe, prompts)
    ends = (ids == pipe.tokenizer.eos_token_id).int().argmax(dim=1)
    order = ends.argsort(stable=True)
    batches = torch.split(order, _BATCH)
    parts = []
    for rows in progress(batches, "reading texts", len(batches)):
        last = pipe.text_encoder(ids[rows, : int(ends[rows].max()) + 1])[0]
        parts.append(last[torch.arange(len(rows), device=ids.device), ends[rows]])
    result = torch.cat(parts)[order.argsort()]
    refuse_nan(result, "the states of the prompts")
    return result


def aligned(source: Sequence[int], target: Sequence[int], end: int) -> list[int]:
    """Return for every position of `source` the corresponding position of `target`.

    Tokens that both texts begin or end with correspond to each other. In the part between, where a name was replaced,
    the last tokens correspond to each other, and surplus tokens of the source correspond to the target's first token
    of that part. Everything behind the first end token is padding.

    Args:
        source: padded token ids.
        target: token ids, padded to the same length.
        end: id of the token that ends a text and pads it.

    Raises:
        ParameterError: the lengths differ.
    """
    if len(source) != len(target):
        raise ParameterError(f"both texts must be padded to one length, got {len(source)} and {len(target)}.")
    old, new = (_without_padding(ids, end) for ids in (source, target))
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < min(len(old), len(new)) - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    shift = len(new) - len(old)
    first = min(start, len(new) - 1)
    indices = [at if at < start else max(at + shift, first) for at in range(len(old))]
    padding = [min(max(at + shift, len(new)), len(source) - 1) for at in range(len(old), len(source))]
    return indices + padding


def _without_padding(ids: Sequence[int], end: int) -> list[int]:
    """Return the tokens before the first end token."""
    whole = list(ids)
    return whole[: whole.index(end)] if end in whole else whole


@torch.no_grad()
def paired_states(
    pipe: StableDiffusionPipeline, sources: Sequence[str], targets: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """Return states of source prompts and, position by position, the corresponding states of the target prompts.

    Args:
        pipe: provides tokenizer and text encoder.
        sources: n prompts.
        targets: n prompts.

    Returns:
        Two (n x length, width) tensors.
    """
    end = pipe.tokenizer.eos_token_id
    pairs = zip(token_ids(pipe, sources).tolist(), token_ids(pipe, targets).tolist(), strict=True)
    indices = torch.tensor([aligned(old, new, end) for old, new in pairs], device=pipe.text_encoder.device)
    goal = states(pipe, targets)
    moved = goal.gather(1, indices[..., None].expand(-1, -1, goal.shape[-1]))
    return states(pipe, sources).flatten(0, 1), moved.flatten(0, 1)
