"""What a text looks like from inside: hidden states or SAE latents of every block, averaged over its positions.

Texts are read in padded batches of similar length. The average is taken on the device while the batch is there, so
memory depends on the size of a batch and not on the number of texts, and reading stops after the last block asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neoai_utils.steering.generation import Writer, batches, encode
from neoai_utils.steering.hooks import blocks

__all__ = ["Reader", "hidden_states", "pooled"]

Reader = Callable[[Tensor], Tensor]


class _EnoughRead(Exception):  # noqa: N818 (a signal, no error)
    """Raised inside a hook: the blocks that follow are not needed."""


@torch.inference_mode()
def pooled(
    writer: Writer,
    texts: Sequence[str],
    readers: Mapping[int, Reader | None],
    *,
    longest: int = 512,
    batch: int = 32,
) -> dict[int, NDArray[np.float32]]:
    """Return block -> (texts, features) float32: the mean over a text's positions, without the first.

    The first position is left out because its hidden state is huge and the same for every text (attention sink).

    Args:
        writer: the model that reads.
        texts: each of at least two tokens.
        readers: number of a block -> what is averaged: a function of hidden states (batch, length, width), such as
            the `encode` of an SAE; None for the hidden states themselves.
        longest: tokens read of a text.
        batch: texts at a time.

    Raises:
        ValueError: a text has fewer than two tokens.
    """
    found: dict[int, list[Tensor]] = {layer: [] for layer in readers}
    order: list[int] = []
    for places, mask, states in hidden_states(writer, texts, list(readers), longest=longest, batch=batch):
        if int(mask.sum(1).min()) < 2:
            raise ValueError("a text of one token has no positions left once the first is dropped")
        for layer, reader in readers.items():
            found[layer].append(_mean(states[layer], mask, reader).cpu())
        order += places
    back = np.argsort(order)
    return {layer: torch.cat(parts).numpy()[back] for layer, parts in found.items()}


@torch.inference_mode()
def hidden_states(
    writer: Writer, texts: Sequence[str], layers: Sequence[int], *, longest: int = 512, batch: int = 32
) -> Iterator[tuple[list[int], Tensor, dict[int, Tensor]]]:
    """Yield for each batch the texts' places, the mask (batch, length), and block -> (batch, length, width).

    The model is left as soon as the last of `layers` has been read.
    """
    caught: dict[int, Tensor] = {}
    modules, last = blocks(writer.model), max(layers)
    for places in batches(texts, batch):
        ids, mask = encode(writer, [texts[i] for i in places], side="right", longest=longest)
        handles = [modules[layer].register_forward_hook(partial(_catch, caught, layer, last)) for layer in layers]
        try:
            writer.model(ids, attention_mask=mask, use_cache=False, logits_to_keep=1)
        except _EnoughRead:
            pass
        finally:
            for handle in handles:
                handle.remove()
        yield places, mask, caught


def _catch(caught: dict[int, Tensor], layer: int, last: int, _module: nn.Module, _inputs: Any, output: Any) -> None:
    caught[layer] = output[0] if isinstance(output, tuple) else output
    if layer == last:
        raise _EnoughRead


def _mean(hidden: Tensor, mask: Tensor, reader: Reader | None) -> Tensor:
    """Return (batch, features) float32 on the device."""
    values = (hidden if reader is None else reader(hidden)).float()
    weight = mask.clone()
    weight[:, 0] = 0
    total = torch.einsum("blf,bl->bf", values, weight.to(values))
    return total / weight.sum(1, keepdim=True)
