"""Counts of context words: how often each token stands near each other token in the unlabelled texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32, Integers
from neoai_utils.embeddings.damage import is_special

__all__ = [
    "OFFSETS", "TokenizedTexts", "association", "counts", "frequent", "neighbour_counts", "neighbour_means",
    "shared_text_counts", "unit_rows",
]  # fmt: skip

OFFSETS = (-3, -2, -1, 1, 2, 3)
"""Positions of a neighbour, relative to the token."""
TokenizedTexts = Sequence[Sequence[int]]
"""Token ids of each text."""


def counts(texts: TokenizedTexts, size: int) -> Integers:
    """Return how often each of `size` tokens occurs in the texts, (size,) int64."""
    return np.bincount(_flat(texts), minlength=size)


def frequent(ids: Integers, tokens: Sequence[str], frequency: Integers) -> Integers:
    """Return those of `ids` that stand for words and occur at least twice, (ids kept,) int64."""
    return np.array([i for i in ids if frequency[i] >= 2 and not is_special(tokens[i])], dtype=np.int64)


def neighbour_counts(texts: TokenizedTexts, size: int) -> dict[int, Any]:
    """Count neighbours at each of `OFFSETS`.

    Returns:
        Offset -> (size, size) float32 CSR matrix; [i, j] is how often j stands at this offset from i.
    """
    from scipy import sparse

    flat = _flat(texts)
    text_of = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    matrices = {}
    for offset in OFFSETS:
        gap = abs(offset)
        same = text_of[gap:] == text_of[:-gap]
        left, right = flat[:-gap][same], flat[gap:][same]
        pair = (left, right) if offset > 0 else (right, left)
        matrices[offset] = sparse.coo_matrix((np.ones(len(left), np.float32), pair), shape=(size, size)).tocsr()
    return matrices


def shared_text_counts(texts: TokenizedTexts, size: int) -> Any:
    """Count the texts that two tokens share, a (size, size) float32 CSR matrix with a zero diagonal."""
    from scipy import sparse

    flat = _flat(texts)
    ends = np.concatenate([[0], np.cumsum([len(text) for text in texts])])
    member = sparse.csr_matrix((np.ones(len(flat), np.float32), flat, ends), shape=(len(texts), size))
    together = (member.T @ member).tocsr()
    together.setdiag(0)
    return together


def neighbour_means(near: Mapping[int, Any], table: Float32, frequency: Integers, damping: float = 1e-3) -> Float32:
    """Return each token's mean neighbour row: one left, one right, two and three left, two and three right.

    Frequent neighbours count less, by damping / (damping + probability) (Arora et al., "A Simple but Tough-to-Beat
    Baseline for Sentence Embeddings", ICLR 2017).

    Args:
        near: what `neighbour_counts` returned.
        table: (tokens, size) rows to average, already centred.
        frequency: (tokens,) what `counts` returned.
        damping: the smaller, the less frequent neighbours count.

    Returns:
        (tokens, 4 * size) float32; zero for tokens that do not occur.
    """
    weight = (damping / (damping + frequency / frequency.sum())).astype(np.float32)
    blocks = []
    for window in ((-1,), (1,), (-3, -2), (2, 3)):
        matrix = sum(near[offset] for offset in window).multiply(weight[None, :]).tocsr()
        total = np.asarray(matrix.sum(axis=1)).ravel()
        blocks.append(matrix @ table / np.maximum(total, 1e-9)[:, None])
    return np.concatenate(blocks, axis=1).astype(np.float32)


def association(matrix: Any, rows: Integers, columns: Integers) -> Float32:
    """Return log(1 + lift) of co-occurrence counts, (rows, columns) float32, rows scaled to length 1.

    The lift is how much more often a pair occurs than chance predicts, minus one, at least zero. This is softened
    positive pointwise mutual information, with the column distribution smoothed by the exponent 0.75 (Levy et al., TACL
    2015).

    Args:
        matrix: (tokens, tokens) sparse counts.
        rows: (rows,) token ids.
        columns: (columns,) token ids.
    """
    part = matrix[:, columns][rows].toarray()
    share = np.asarray(matrix[:, columns].sum(axis=0)).ravel() ** 0.75
    chance = part.sum(axis=1, keepdims=True) * share / share.sum()
    lift = np.log1p(np.maximum(part / (chance + 0.05) - 1, 0))
    return unit_rows(lift).astype(np.float32)


def unit_rows(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows, (rows, size), scaled to length 1; zero rows stay zero."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9))


def _flat(texts: TokenizedTexts) -> Integers:
    return np.concatenate([np.asarray(text, dtype=np.int64) for text in texts])
