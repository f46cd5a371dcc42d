"""Predictions of free models as features for the fixed one (stacking, Wolpert 1992).

The rules fix the last model, not its features. A feature that was fitted to the target of the same row would look
better in training than in the test, so training rows get out-of-fold predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import KFold, cross_val_predict

from neoai_utils.arrays import Float64

__all__ = ["TimeCurve", "out_of_fold"]

_MAX_STEPS = 1000  # of conjugate gradients, which converge in a few dozen


def out_of_fold(model: Any, train: Any, target: Float64, test: Any, *, folds: int = 5, seed: int = 0) -> Float64:
    """Return predictions for training rows by models that did not see them, then for test rows by one that saw all.

    Args:
        model: a regressor in scikit-learn's form; it is cloned, never fitted itself.
        train: (rows, features) table, array or sparse matrix.
        target: (rows,) target.
        test: (test rows, features), as `train`.
        folds: number of parts (at most one for each row); each part is predicted by a model fitted to the others.
        seed: shuffles the rows into parts.

    Returns:
        (rows + test rows,) predictions.
    """
    parts = KFold(min(folds, len(target)), shuffle=True, random_state=seed)
    inside = cross_val_predict(model, train, target, cv=parts)
    outside = clone(model).fit(train, target).predict(test)
    return np.concatenate([inside, outside])


class TimeCurve(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The target as a curve over time, fitted to rows whose time is known as a probability only.

    If row i lies in minute m with probability P[i, m], its expected target is (P c)[i] for the curve c. So c minimises
    |target - P c|^2 + smoothness |differences of c|^2: Whittaker's smoother (1923; Eilers, "A perfect smoother", 2003)
    with P in place of the identity.

    scikit-learn's `Ridge` penalises the coefficients, not their differences. With the differences as further rows, its
    conjugate gradients have no preconditioner. On a million minutes with 20,000 rows they take more than a hundred
    times as long as scipy's, which are called here with one.

    Args:
        smoothness: penalty on the squared difference of neighbouring minutes; positive.

    Attributes:
        curve_: (minutes,) fitted curve.
    """

    def __init__(self, smoothness: float = 1.0) -> None:
        self.smoothness = smoothness

    def fit(self, probabilities: csr_array, target: Float64) -> TimeCurve:
        """Fit the curve to (rows, minutes) probabilities and (rows,) targets.

        The normal equations are never written out: conjugate gradients (Hestenes and Stiefel 1952) need only their
        products, so memory grows with the number of probabilities above 0. If each row had one minute, the matrix
        would be tridiagonal. That part of it is solved exactly in each step (the preconditioner).
        """
        transposed = probabilities.T.tocsr()
        factor = _tridiagonal_factor(probabilities.power(2).sum(axis=0), self.smoothness)

        def product(curve: Float64) -> Float64:
            jumps = np.diff(curve)
            penalty = -self.smoothness * np.diff(jumps, prepend=0.0, append=0.0)
            return np.asarray(transposed @ (probabilities @ curve) + penalty)

        shape = (probabilities.shape[1],) * 2
        matrix = LinearOperator(shape, product, dtype=np.float64)
        preconditioner = LinearOperator(shape, lambda rest: cho_solve_banded((factor, True), rest), dtype=np.float64)
        mean = target.mean()
        deviation, _ = cg(matrix, transposed @ (target - mean), rtol=1e-12, maxiter=_MAX_STEPS, M=preconditioner)
        self.curve_ = mean + deviation
        return self

    def predict(self, probabilities: csr_array) -> Float64:
        """Return the expected target, (rows,), of (rows, minutes) probabilities."""
        return np.asarray(probabilities @ self.curve_)


def _tridiagonal_factor(diagonal: Float64, smoothness: float) -> Float64:
    """Return the Cholesky factor, as (2, n) bands, of diag(diagonal) + smoothness times the penalty matrix."""
    bands = np.zeros((2, len(diagonal)))
    bands[0] = diagonal
    bands[0, 1:] += smoothness
    bands[0, :-1] += smoothness
    bands[1, :-1] = -smoothness
    return np.asarray(cholesky_banded(bands, lower=True))
