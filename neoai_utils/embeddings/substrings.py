"""The organisers' repair: the mean of every surviving token that occurs inside a lost one.

Their solution (github.com/open-cu/neoai-2025, 5_Broken_BERT, MIT) compares each lost token with the whole vocabulary.
`nested_scan` keeps that search for comparison; `subtokens` gives the same result by looking up each token's own
substrings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.damage import Damage

__all__ = ["nested_scan", "substring_mean", "subtokens"]


def subtokens(tokens: Iterable[str], vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Return, for each token, the ids of all tokens of the vocabulary that are substrings of it, ascending.

    A token of n characters has at most n(n+1)/2 substrings, each one dictionary lookup, whatever the vocabulary's size.

    Args:
        tokens: taken character by character ("##ing" contains "#").
        vocabulary: token -> id of the surviving tokens.
    """
    max_length = max(map(len, vocabulary), default=0)
    return [
        sorted({vocabulary[part] for part in _substrings(token, max_length) if part in vocabulary})
        for token in tokens
    ]  # fmt: skip


def _substrings(token: str, max_length: int) -> Iterable[str]:
    size = len(token)
    return (token[i:j] for i in range(size) for j in range(i + 1, min(size, i + max_length) + 1))


def nested_scan(tokens: Iterable[str], vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Return the same as `subtokens` in the published way: every token against the whole vocabulary."""
    return [sorted(i for other, i in vocabulary.items() if other in token) for token in tokens]


def substring_mean(
    damage: Damage, subtoken_ids: Sequence[Sequence[int]], fallback: Callable[[int], Float32] | None = None
) -> Float32:
    """Return the mean row of each lost token's sub-tokens, (lost, size) float32.

    Args:
        damage: the broken table.
        subtoken_ids: `subtokens` of the lost tokens.
        fallback: (count) -> (count, size), the rows for tokens without any sub-token; None: the mean donor row.
    """
    rows = np.empty((len(subtoken_ids), damage.table.shape[1]), dtype=np.float32)
    empty = [i for i, ids in enumerate(subtoken_ids) if not ids]
    for i, ids in enumerate(subtoken_ids):
        if ids:
            rows[i] = damage.table[list(ids)].mean(axis=0)
    rows[empty] = damage.mean if fallback is None else fallback(len(empty))
    return rows
