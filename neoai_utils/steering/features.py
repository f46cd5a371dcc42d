"""Hidden states or SAE latents of every block, averaged over the positions of a text.

Texts are read in padded batches of similar length that fit into memory. The average is taken on the device while the
batch is there, so memory depends on the size of a batch and not on the number of texts. The forward pass stops after
the last block that is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neoai_utils.arrays import Float32
from neoai_utils.hooks import hidden_states, hooked
from neoai_utils.runtime import progress, refuse_nan
from neoai_utils.steering.generation import Writer, batches, encode
from neoai_utils.steering.hooks import blocks
from neoai_utils.steering.memory import block_bytes, slices
from neoai_utils.steering.precision import retried

__all__ = ["Reader", "block_states", "pooled"]

_MAX_LENGTH = 512
_POSITIONS = 8192  # that a reader gets at once: 16,384 latents of each, in five copies in float32, are 2.7 GB

Reader = Callable[[Tensor], Tensor]


class _LastBlockRead(Exception):  # noqa: N818 (a signal, no error)
    """Raised inside a hook: the blocks that follow are not needed."""


@retried
@torch.inference_mode()
def pooled(
    writer: Writer,
    texts: Sequence[str],
    readers: Mapping[int, Reader | None],
    *,
    batch: int = 32,
) -> dict[int, Float32]:
    """Return block -> (texts, features) float32: the mean over a text's positions, without the first.

    The first position is left out because its hidden state is huge and the same for every text (attention sink). At
    most 512 tokens of a text are read.

    Args:
        writer: the model that reads.
        texts: each of at least two tokens.
        readers: number of a block -> what is averaged: a function of hidden states (batch, length, width), such as
            the `encode` of an SAE; None for the hidden states themselves.
        batch: texts at a time, at most.

    Raises:
        ValueError: a text has fewer than two tokens.
        NotANumberError: a mean is NaN.
    """
    means: dict[int, list[Tensor]] = {layer: [] for layer in readers}
    order: list[int] = []
    for indices, mask, states in block_states(writer, texts, list(readers), batch=batch):
        if int(mask.sum(1).min()) < 2:
            raise ValueError("a text of one token has no positions left once the first is dropped")
        for layer, reader in readers.items():
            means[layer].append(_mean(states[layer], mask, reader).cpu())
            refuse_nan(means[layer][-1], f"the mean states of block {layer}", writer.model.dtype)
        order += indices
    back = np.argsort(order)
    return {layer: torch.cat(batch_means).numpy()[back] for layer, batch_means in means.items()}


@torch.inference_mode()
def block_states(
    writer: Writer, texts: Sequence[str], layers: Sequence[int], *, batch: int = 32
) -> Iterator[tuple[list[int], Tensor, dict[int, Tensor]]]:
    """Yield for each batch the texts' indices, the mask (batch, length), and block -> (batch, length, width).

    The forward pass stops as soon as the last of `layers` has been read.
    """
    states: dict[int, Tensor] = {}
    modules, last = blocks(writer.model), max(layers)
    hooks = {modules[layer]: partial(_keep, states, layer, last) for layer in layers}
    for indices in progress(list(batches(texts, batch)), "reading"):
        ids, mask = encode(writer, [texts[i] for i in indices], side="right", max_length=_MAX_LENGTH)
        length, kept = ids.shape[1], len(layers) * writer.model.config.hidden_size * writer.model.dtype.itemsize
        for part in slices(len(indices), length * (block_bytes(writer.model, length) + kept)):
            with hooked(hooks), suppress(_LastBlockRead):
                writer.model(ids[part], attention_mask=mask[part], use_cache=False, logits_to_keep=1)
            yield indices[part], mask[part], states


def _keep(states: dict[int, Tensor], layer: int, last: int, _module: nn.Module, _inputs: Any, output: Any) -> None:
    states[layer] = hidden_states(output)
    if layer == last:
        raise _LastBlockRead


def _mean(states: Tensor, mask: Tensor, reader: Reader | None) -> Tensor:
    """Return (batch, features) float32 on the device; a reader gets at most 8,192 positions, or one text, at once."""
    weight = mask.clone()
    weight[:, 0] = 0
    rows = max(1, _POSITIONS // states.shape[1]) if reader else len(states)
    totals = []
    for some, counted in zip(torch.split(states, rows), torch.split(weight, rows), strict=True):
        values = (some if reader is None else reader(some)).float()
        totals.append(torch.einsum("blf,bl->bf", values, counted.to(values)))
    return torch.cat(totals) / weight.sum(1, keepdim=True)
