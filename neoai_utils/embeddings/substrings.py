"""The organisers' repair: the mean of every surviving token that occurs inside a lost one.

Their solution (github.com/open-cu/neoai-2025, 5_Broken_BERT, MIT) compares each lost token with the whole vocabulary.
`nested_scan` keeps that search for comparison; `subtokens` finds the same by looking each token's own substrings up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from neoai_utils.embeddings.damage import Damage, Floats

__all__ = ["nested_scan", "substring_mean", "subtokens"]


def subtokens(words: Iterable[str], known: Mapping[str, int]) -> list[list[int]]:
    """Return, for each word, the ids of all known tokens that are substrings of it, ascending.

    A word of n letters has at most n(n+1)/2 substrings, each one dictionary lookup, however large the vocabulary.

    Args:
        words: the tokens to explain, taken letter by letter ("##ing" contains "#").
        known: token -> id of the tokens that are left.
    """
    longest = max(map(len, known), default=0)
    return [
        sorted({known[part] for part in _substrings(word, longest) if part in known})
        for word in words
    ]  # fmt: skip


def _substrings(word: str, longest: int) -> Iterable[str]:
    size = len(word)
    return (word[i:j] for i in range(size) for j in range(i + 1, min(size, i + longest) + 1))


def nested_scan(words: Iterable[str], known: Mapping[str, int]) -> list[list[int]]:
    """Find the same as `subtokens` in the published way: every word against every known token."""
    return [sorted(i for token, i in known.items() if token in word) for word in words]


def substring_mean(
    damage: Damage, found: Sequence[Sequence[int]], fallback: Callable[[int], Floats] | None = None
) -> Floats:
    """Return the mean row of each lost token's sub-tokens, (lost, size).

    Args:
        damage: the broken table.
        found: `subtokens` of the lost tokens.
        fallback: (count) -> (count, size), the rows for tokens without any sub-token; None: the mean donor row.
    """
    rows = np.empty((len(found), damage.table.shape[1]), dtype=np.float32)
    empty = [i for i, ids in enumerate(found) if not ids]
    for i, ids in enumerate(found):
        if ids:
            rows[i] = damage.table[list(ids)].mean(axis=0)
    rows[empty] = damage.mean if fallback is None else fallback(len(empty))
    return rows
