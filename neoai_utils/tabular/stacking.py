"""Predictions of free models as features for the fixed one (stacking, Wolpert 1992).

The fixed model may not be changed, but what its features are made of is free. A feature that was fitted to the target
of the same row would be too good in training and mislead, so training rows get out-of-fold predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import KFold, cross_val_predict

__all__ = ["TimeCurve", "out_of_fold"]

Floats = NDArray[np.float64]
_STEPS = 1000  # of conjugate gradients; a few dozen settle the course


def out_of_fold(model: Any, train: Any, target: Floats, test: Any, *, folds: int = 5, seed: int = 0) -> Floats:
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
    """The course of the target in time, fitted to rows whose time is only known as a probability.

    If row i lies in minute m with probability P[i, m], its expected target is (P c)[i] for the course c. So c solves
    the least squares problem |target - P c|^2 + smoothness |difference of c|^2: Whittaker's smoother (1923; Eilers,
    "A perfect smoother", 2003) with P in the place of the identity.

    Args:
        smoothness: penalty on the squared difference of neighbouring minutes; positive.

    Attributes:
        curve_: (minutes,) fitted course.
    """

    def __init__(self, smoothness: float = 1.0) -> None:
        self.smoothness = smoothness

    def fit(self, where: csr_array, target: Floats) -> TimeCurve:
        """Fit the course to (rows, minutes) probabilities and (rows,) targets.

        The system is never written out: conjugate gradients (Hestenes and Stiefel 1952) need only its products, so
        memory grows with the number of probabilities above 0. If each row had one minute, the system would be
        tridiagonal; that part of it is solved exactly in each step (a preconditioner), so that few steps are needed.
        """
        back = where.T.tocsr()
        near = _tridiagonal(where.power(2).sum(axis=0), self.smoothness)

        def product(curve: Floats) -> Floats:
            jumps = np.diff(curve)
            return np.asarray(back @ (where @ curve) - self.smoothness * np.diff(jumps, prepend=0.0, append=0.0))

        shape = (where.shape[1],) * 2
        system = LinearOperator(shape, product, dtype=np.float64)
        solve_near = LinearOperator(shape, lambda rest: cho_solve_banded((near, True), rest), dtype=np.float64)
        middle = target.mean()
        found, _ = cg(system, back @ (target - middle), rtol=1e-12, maxiter=_STEPS, M=solve_near)
        self.curve_ = middle + found
        return self

    def predict(self, where: csr_array) -> Floats:
        """Return the expected target of (rows, minutes) probabilities."""
        return np.asarray(where @ self.curve_)


def _tridiagonal(diagonal: Floats, smoothness: float) -> Floats:
    """Return the Cholesky factor, as (2, n) bands, of `diagonal` + smoothness times the penalty on jumps."""
    bands = np.zeros((2, len(diagonal)))
    bands[0] = diagonal
    bands[0, 1:] += smoothness
    bands[0, :-1] += smoothness
    bands[1, :-1] = -smoothness
    return np.asarray(cholesky_banded(bands, lower=True))
