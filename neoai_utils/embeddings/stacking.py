"""Combine predictions, and give rows the length that rows have.

`stack` is stacked regression (Wolpert, 1992; Breiman, 1996) learned on donors that were hidden; `match_norm` undoes the
shrinkage of every regression; `correct_by_company` is the last step of our recipe, a Gaussian process on what a
regression on spelling has missed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.embeddings import contexts
from neoai_utils.embeddings.damage import Damage, Floats, Ids

__all__ = ["correct_by_company", "match_norm", "stack"]


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


def correct_by_company(
    damage: Damage, texts: contexts.Texts, base: Floats, known: Ids, unseen: Floats, *, trust: float = 8.0
) -> tuple[Floats, Floats]:
    """Correct a repair from spelling by the company that tokens keep in the texts.

    What the repair misses for donors is known; a Gaussian process carries it over to lost tokens that keep similar
    company. Its noise is chosen by leaving out one donor at a time (`contexts.choose_noise`).

    Args:
        damage: the broken table.
        texts: tokenised texts without labels.
        base: the repair's rows, (lost, size).
        known: donors that occur at least twice in the texts (`contexts.frequent`).
        unseen: what the repair gives for them when they are hidden (`damage.cross_fit`), (known, size).
        trust: see `contexts.company_kernel`.

    Returns:
        (rows, left_out): the corrected rows, (lost, size), and the rows that every known donor gets when it is left
        out itself, (known, size); comparing these with the truth tells how good the repair is.
    """
    frequency = contexts.counts(texts, len(damage.words))
    places = np.flatnonzero(np.isin(damage.lost, contexts.frequent(damage.lost, damage.words, frequency)))
    tokens = np.concatenate([known, damage.lost[places]])
    kernel = contexts.company_kernel(texts, contexts.centred(damage, base), tokens, trust)
    truth = damage.table[known]
    noise, left_out = contexts.choose_noise(kernel, truth, unseen, damage.mean, frequency[known])
    rows = base.copy()
    rows[places] += contexts.correct(kernel, truth - unseen, noise)
    return rows, left_out
