"""How many texts a language model takes at once: as many as fit into a fixed budget of memory.

The budget is a constant and not the card's free memory, because another batch size rounds differently: the same seed
must give the same texts on the same card. Arithmetic for a T4 (14 GB usable) where all rows are played, in GB: Gemma 2
2B in half precision 5.2, DeBERTa-v3-large in float32 1.7, five autoencoders of 16,384 latents in float32 1.5, together
8.5; with the budget 11.7. Without the rows of the ladder no autoencoder is loaded, and 10.2 are left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["BUDGET", "block_bytes", "cache_bytes", "logit_bytes", "slices"]

BUDGET = 3 * 2**30
"""Bytes that the tensors of one batch may take beside the weights."""

_READ, _TRAINED = 14, 22  # bytes for each logit: copies in half precision and in float32, without and with gradients


def slices(count: int, bytes_per_row: int) -> Iterator[slice]:
    """Yield consecutive slices of a batch of `count` rows that fit into the budget; a slice has at least one row."""
    size = max(1, BUDGET // bytes_per_row)
    yield from (slice(start, min(count, start + size)) for start in range(0, count, size))


def cache_bytes(model: PreTrainedModel) -> int:
    """Return the bytes of a token's keys and values in all blocks."""
    config = model.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * width * model.dtype.itemsize)


def block_bytes(model: PreTrainedModel, length: int) -> int:
    """Return the bytes that a block computes for a token in a text of `length` tokens.

    These are eight tensors as wide as the hidden state, four as wide as the feed-forward layer, and the token's row of
    the attention matrix: three times in the model's dtype and once in float32.
    """
    config, size = model.config, model.dtype.itemsize
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    attention = config.num_attention_heads * length * (3 * size + 4)
    return int((8 * config.hidden_size + 4 * inner) * size + attention)


def logit_bytes(model: PreTrainedModel, *, trained: bool = False) -> int:
    """Return the bytes of a token's logits and their cross-entropy at the peak; `trained`: with their gradients."""
    return int(model.config.vocab_size * (_TRAINED if trained else _READ))
