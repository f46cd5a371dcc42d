"""Combine predictions, and give rows the length that rows have.

`stack` is stacked regression (Wolpert, 1992; Breiman, 1996) learned on donors that were hidden; `match_norm` undoes the
shrinkage of every regression; `spelling_and_company` is our recipe: a Gaussian process for the company a token keeps,
on top of a ridge regression for its spelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neoai_utils.embeddings import contexts
from neoai_utils.embeddings.damage import Damage, Floats, Ids, silent
from neoai_utils.embeddings.ngrams import cross_fitted, ridge

__all__ = ["match_norm", "spelling_and_company", "stack"]


def stack(
    hidden: Sequence[Floats], truth: Floats, lost: Sequence[Floats], mean: Floats, *, penalty: float = 10.0
) -> Floats:
    """Return the best linear combination of several repairs, (lost, size).

    Args:
        hidden: each repair's rows for hidden donors, (rows, size) each.
        truth: their true rows, (rows, size).
        lost: each repair's rows for the lost tokens, (lost, size) each, in the same order.
        mean: the mean donor row, (size,).
        penalty: of the ridge regression.
    """
    x = np.hstack([rows - mean for rows in hidden]).astype(np.float64)
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += penalty
    mapping = np.linalg.solve(gram, x.T @ (truth - mean))
    return np.asarray(mean + np.hstack([rows - mean for rows in lost]) @ mapping, dtype=np.float32)


def match_norm(damage: Damage, rows: Floats, power: float = 1.0) -> Floats:
    """Stretch rows (lost, size) away from the mean until they are as long as donors are.

    Args:
        damage: gives the mean and the median centred norm of the donors.
        rows: repaired rows.
        power: 1 gives every row the median norm, 0 leaves the rows as they are.
    """
    away = rows - damage.mean
    norm = np.linalg.norm(away, axis=1, keepdims=True)
    typical = np.median(np.linalg.norm(damage.table[damage.donors] - damage.mean, axis=1))
    stretch = np.where(norm > 1e-9, typical / np.maximum(norm, 1e-9), 1.0) ** power
    return np.asarray(damage.mean + away * stretch, dtype=np.float32)


def spelling_and_company(
    damage: Damage,
    spelling: Any,
    texts: contexts.Texts,
    base: Floats | None = None,
    *,
    rounds: int = 1,
    least: int = 2,
    penalty: float = 1.0,
    doubt: float = 5.0,
    trust: float = 8.0,
) -> Floats:
    """Return rows that follow a token's spelling, corrected by the company it keeps, (lost, size).

    1. Ridge regression predicts every lost row from its spelling.
    2. The same regression predicts donors in the texts that it has not seen; what it misses there is known.
    3. A Gaussian process carries those misses over to lost tokens that keep similar company.

    Args:
        damage: the broken table.
        spelling: n-gram features of the vocabulary.
        texts: tokenised texts without labels.
        base: the rows of step 1, if they are there already.
        rounds: how often step 3 is made; later rounds see better neighbours.
        least: tokens that occur less often are left to their spelling.
        penalty: noise of the Gaussian process; see `contexts.correct`.
        doubt: extra noise of rare tokens; see there.
        trust: see `contexts.company_kernel`.
    """
    base = ridge(spelling, damage) if base is None else base
    frequency = contexts.counts(texts, len(damage.words))
    known = damage.donors[frequency[damage.donors] >= least]
    places = _correctable(damage, frequency >= least)
    missed = damage.table[known] - cross_fitted(spelling, damage, known)
    tokens = np.concatenate([known, damage.lost[places]])
    rows = base
    for _ in range(rounds):
        kernel = contexts.company_kernel(texts, contexts.centred(damage, rows), tokens, trust)
        rows = base.copy()
        rows[places] += contexts.correct(kernel, len(known), missed, frequency[known], penalty, doubt)
    return rows


def _correctable(damage: Damage, frequent: Any) -> Ids:
    """Return the places in `damage.lost` of words that are frequent enough."""
    speaks = np.array([not silent(damage.words[i]) for i in damage.lost])
    return np.flatnonzero(frequent[damage.lost] & speaks)
