"""Embeddings from context words: two published ways to make a lost row from the unlabelled texts.

`a_la_carte` is Khodak et al., "A La Carte Embedding: Cheap but Effective Induction of Semantic Feature Vectors", ACL
2018 (arXiv 1805.05388). `focus` follows Dobler & de Melo, "FOCUS: Effective Embedding Initialization for Monolingual
Specialization of Multilingual Models", EMNLP 2023 (arXiv 2305.14481).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.cooccurrence import (
    TokenizedTexts,
    association,
    counts,
    neighbour_counts,
    neighbour_means,
    unit_rows,
)
from neoai_utils.embeddings.damage import Damage

__all__ = ["CONTEXT_TOKENS", "a_la_carte", "centred", "focus", "sparsemax"]

CONTEXT_TOKENS = 1500
"""Number of most frequent tokens that serve as context words."""


def a_la_carte(
    damage: Damage, texts: TokenizedTexts, base: Float32, min_count: int = 1, penalty: float = 1.0
) -> Float32:
    """Return A times the mean context row of each lost token, (lost, size); tokens that never occur keep `base`.

    The matrix A is the ridge solution that maps the context means of the donors in the texts to their rows, each
    weighted by the root of its frequency.

    Args:
        damage: the broken table.
        texts: token ids of each text.
        base: (lost, size) rows for the lost tokens; they are also used where a neighbour is lost.
        min_count: tokens that occur less often keep `base`.
        penalty: ridge penalty, in units of the mean squared feature.
    """
    from sklearn.linear_model import Ridge

    frequency = counts(texts, len(damage.tokens))
    means = neighbour_means(neighbour_counts(texts, len(damage.tokens)), centred(damage, base), frequency)
    donors = damage.donors[frequency[damage.donors] > 0]
    x, weight = means[donors], np.sqrt(frequency[donors])
    alpha = penalty * float(np.average(x**2, axis=1) @ weight)
    ridge = Ridge(alpha, fit_intercept=False, solver="cholesky").fit(x, damage.table[donors] - damage.mean, weight)
    rows = base.copy()
    occurs = frequency[damage.lost] >= min_count
    rows[occurs] = damage.mean + ridge.predict(means[damage.lost[occurs]])
    return rows


def focus(damage: Damage, texts: TokenizedTexts, base: Float32, size: int = 64, seed: int = 0) -> Float32:
    """Return sparse mixtures of donors with a similar auxiliary vector, (lost, size); unseen tokens keep `base`.

    The auxiliary vectors come from the texts alone: the leading `size` directions of the neighbour association.
    The weights are the sparsemax of the cosine similarities (Martins & Astudillo, ICML 2016).

    Args:
        damage: the broken table.
        texts: token ids of each text.
        base: (lost, size) rows for tokens that do not occur.
        size: of the auxiliary vectors.
        seed: of the randomized decomposition.
    """
    from sklearn.utils.extmath import randomized_svd

    frequency = counts(texts, len(damage.tokens))
    occurring = np.flatnonzero(frequency)
    near = neighbour_counts(texts, len(damage.tokens))
    context = np.argsort(-frequency, kind="stable")[:CONTEXT_TOKENS]
    space = association(near[-1] + near[1], occurring, context[frequency[context] > 0])
    left, strength, _ = randomized_svd(space, size, random_state=seed)
    vectors = np.zeros((len(damage.tokens), size), dtype=np.float32)
    vectors[occurring] = unit_rows(left * np.sqrt(strength))
    donors = damage.donors[frequency[damage.donors] > 0]
    rows = base.copy()
    indices = np.flatnonzero(frequency[damage.lost] > 0)
    rows[indices] = sparsemax(vectors[damage.lost[indices]] @ vectors[donors].T) @ damage.table[donors]
    return rows


def sparsemax(scores: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return the point of the probability simplex nearest to each row of `scores`, (rows, n); most entries are 0."""
    ordered = -np.sort(-scores, axis=1)
    above = np.cumsum(ordered, axis=1) - 1
    size = (ordered * np.arange(1, scores.shape[1] + 1) > above).sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(scores - np.take_along_axis(above, size - 1, axis=1) / size, 0))


def centred(damage: Damage, base: Float32) -> Float32:
    """Return the table, (tokens, size), with `base` in the lost rows and the mean donor row subtracted everywhere."""
    table = damage.table - damage.mean
    table[damage.lost] = base - damage.mean
    return table
