"""Correct a repair by context similarity: a Gaussian process on the errors that the repair makes for donors.

The method is our own, with the textbook's formulas (Rasmussen & Williams, "Gaussian Processes for Machine Learning",
2006, chapters 2 and 5). scikit-learn's `GaussianProcessRegressor` takes no precomputed kernel, and neither it nor
`KernelRidge` gives leave-one-out predictions for many noise levels from one kernel; so the few lines of algebra stand
here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32, Float64, Integers
from neoai_utils.embeddings.contexts import CONTEXT_TOKENS, centred
from neoai_utils.embeddings.cooccurrence import (
    TokenizedTexts,
    association,
    counts,
    frequent,
    neighbour_counts,
    neighbour_means,
    shared_text_counts,
    unit_rows,
)
from neoai_utils.embeddings.damage import Damage, centred_cosine

__all__ = ["choose_noise", "context_kernel", "correct_by_context", "leave_one_out", "posterior_mean"]

NOISE_LEVELS = (0.25, 0.5, 1.0)
"""Noise variances to choose from."""
NOISE_COUNTS = (5.0, 20.0, 80.0)
"""Counts to choose from; a token that occurs so often has twice the noise level."""


def correct_by_context(
    damage: Damage,
    texts: TokenizedTexts,
    base: Float32,
    donors: Integers,
    donor_rows: Float32,
) -> tuple[Float32, Float32]:
    """Correct a repair from spelling by the context words of the tokens.

    The errors that the repair makes for donors are known; a Gaussian process carries them over to lost tokens with
    similar contexts. Its noise is chosen by leaving out one donor at a time (`choose_noise`).

    Args:
        damage: the broken table.
        texts: token ids of each text, without labels.
        base: (lost, size) the repair's rows.
        donors: (donors,) ids of donors that occur at least twice in the texts (`cooccurrence.frequent`).
        donor_rows: (donors, size) what the repair gives for them when they are hidden (`damage.cross_fit`).

    Returns:
        (rows, left_out): the corrected rows, (lost, size) float32, and the row that each donor gets when it is left
        out itself, (donors, size) float32; comparing these with the truth measures the repair.
    """
    frequency = counts(texts, len(damage.tokens))
    indices = np.flatnonzero(np.isin(damage.lost, frequent(damage.lost, damage.tokens, frequency)))
    ids = np.concatenate([donors, damage.lost[indices]])
    kernel = context_kernel(texts, centred(damage, base), ids)
    truth = damage.table[donors]
    noise, left_out = choose_noise(kernel, truth, donor_rows, damage.mean, frequency[donors])
    rows = base.copy()
    rows[indices] += posterior_mean(kernel, truth - donor_rows, noise)
    return rows, left_out


_HALF_COUNT = 8.0  # a token that occurs so often has half the weight of a very frequent one


def context_kernel(
    texts: TokenizedTexts,
    table: Float32,
    ids: Integers,
    context_tokens: int = CONTEXT_TOKENS,
) -> Float64:
    """Return the kernel of context similarity, (ids, ids) float64, positive semi-definite.

    Three views are added: the tokens one or two positions to the left and right; the mean rows of the neighbours; the
    tokens of the same text, at half weight. Each view is exp(cosine - 1). The product of sqrt(count / (count +
    8)) of both tokens makes rare contexts weak evidence.

    Args:
        texts: token ids of each text.
        table: (tokens, size) centred rows of the whole vocabulary, for the means.
        ids: (ids,) tokens, each occurring in the texts.
        context_tokens: number of most frequent tokens that serve as context words.
    """
    frequency = counts(texts, len(table))
    near = neighbour_counts(texts, len(table))
    context = np.argsort(-frequency, kind="stable")[:context_tokens]
    adjacent = _gram(np.hstack([association(near[offset], ids, context) for offset in (-2, -1, 1, 2)]) / 2)
    rows = neighbour_means(near, table, frequency)[ids]
    blocks = np.split(rows - np.average(rows, axis=0, weights=frequency[ids]), 4, axis=1)
    means = np.hstack([unit_rows(block) for block in blocks]).astype(np.float32) / 2
    shared = _gram(association(shared_text_counts(texts, len(table)), ids, context))
    kernel = np.exp(adjacent - 1.0) + np.exp(means @ means.T - 1.0) + 0.5 * np.exp(shared - 1.0)
    weight = np.sqrt(frequency[ids] / (frequency[ids] + _HALF_COUNT))
    return np.asarray(weight[:, None] * kernel * weight, dtype=np.float64)


def _gram(rows: NDArray[Any]) -> Float32:
    """Return the products of all pairs of rows, (ids, ids) float32; most entries of `rows` are zero."""
    from scipy import sparse

    compact = sparse.csr_matrix(rows)
    return np.asarray((compact @ compact.T).toarray(), dtype=np.float32)


def posterior_mean(kernel: Float64, residuals: Float32, noise: Float64) -> Float32:
    """Return the predicted residuals of the other tokens, (others, size) float32.

    Args:
        kernel: (training + others, training + others), the training tokens first.
        residuals: (training, size) truth minus repair.
        noise: (training,) variance of the noise.
    """
    from scipy.linalg import solve

    training = len(noise)
    inner = kernel[:training, :training] + np.diag(noise)
    return np.asarray(kernel[training:, :training] @ solve(inner, residuals, assume_a="pos"), dtype=np.float32)


def leave_one_out(kernel: Float64, residuals: Float32, noise: Float64) -> Float32:
    """Return what `posterior_mean` predicts for each training token that is left out alone, (training, size) float32.

    In closed form (Rasmussen & Williams, equation 5.12): the error of token i is [A y]_i / A_ii, where A is the
    inverse of kernel + noise; nothing is fitted again.

    Args:
        kernel: see `posterior_mean`.
        residuals: (training, size) truth minus repair.
        noise: (training,) variance of the noise.
    """
    inverse = _inverse(kernel[: len(noise), : len(noise)] + np.diag(noise))
    return np.asarray(residuals - (inverse @ residuals) / np.diag(inverse)[:, None], dtype=np.float32)


def _inverse(matrix: Float64) -> Float64:
    """Return the inverse of a positive definite matrix by Cholesky's factors: half the work of the general inverse."""
    from scipy.linalg import cholesky
    from scipy.linalg.lapack import dpotri

    lower, _ = dpotri(cholesky(matrix, lower=True, overwrite_a=True), lower=True, overwrite_c=True)
    return np.asarray(np.tril(lower) + np.tril(lower, -1).T)


def choose_noise(
    kernel: Float64, truth: Float32, donor_rows: Float32, mean: Float32, frequency: Integers
) -> tuple[Float64, Float32]:
    """Choose the Gaussian process's noise by leaving out one training token at a time.

    The noise of a token is level * (1 + noise_count / count): rare contexts are noisy. The level is chosen first, then
    the noise count; the highest mean centred cosine wins, each token weighted by the root of its count.

    Args:
        kernel: see `posterior_mean`.
        truth: (training, size) the right rows.
        donor_rows: (training, size) the rows to be corrected.
        mean: (size,) the mean donor row.
        frequency: (training,) counts in the texts.

    Returns:
        (noise, left_out): (training,) float64 and the corrected left-out rows, (training, size) float32.
    """

    def evaluate(level: float, noise_count: float) -> tuple[float, Float64, Float32]:
        noise = level * (1 + noise_count / frequency)
        rows = donor_rows + leave_one_out(kernel, truth - donor_rows, noise)
        cosine = float(np.average(centred_cosine(rows, truth, mean), weights=np.sqrt(frequency)))
        return cosine, noise, rows

    middle = NOISE_COUNTS[len(NOISE_COUNTS) // 2]
    by_level = {level: evaluate(level, middle) for level in NOISE_LEVELS}
    level = max(by_level, key=lambda level: by_level[level][0])
    by_count = [by_level[level], *(evaluate(level, count) for count in NOISE_COUNTS if count != middle)]
    _, noise, rows = max(by_count, key=lambda outcome: outcome[0])
    return noise, rows
