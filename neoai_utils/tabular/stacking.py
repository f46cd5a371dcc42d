"""Predictions of free models as features for the fixed one (stacking, Wolpert 1992).

The fixed model may not be changed, but what its features are made of is free. A feature that was fitted to the target
of the same row would be too good in training and mislead, so training rows get out-of-fold predictions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import KFold, cross_val_predict

__all__ = ["TimeCurve", "out_of_fold"]

Floats = NDArray[np.float64]


def out_of_fold(model: Any, train: Any, target: Floats, test: Any, *, folds: int = 5, seed: int = 0) -> Floats:
    """Return predictions for training rows by models that did not see them, then for test rows by one that saw all.

    Args:
        model: a regressor in scikit-learn's form; it is cloned, never fitted itself.
        train: (rows, features) table, array or sparse matrix.
        target: (rows,) target.
        test: (test rows, features), as `train`.
        folds: number of parts; each part is predicted by a model fitted to the others.
        seed: shuffles the rows into parts.

    Returns:
        (rows + test rows,) predictions.
    """
    parts = KFold(folds, shuffle=True, random_state=seed)
    inside = cross_val_predict(model, train, target, cv=parts)
    outside = clone(model).fit(train, target).predict(test)
    return np.concatenate([inside, outside])


class TimeCurve(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The course of the target in time, fitted to rows whose time is only known as a probability.

    If row i lies in minute m with probability P[i, m], its expected target is (P c)[i] for the course c. So c solves
    the least squares problem |target - P c|^2 + smoothness |difference of c|^2: Whittaker's smoother (1923; Eilers,
    "A perfect smoother", 2003) with P in the place of the identity.

    Args:
        smoothness: penalty on the squared difference of neighbouring minutes.

    Attributes:
        curve_: (minutes,) fitted course.
    """

    def __init__(self, smoothness: float = 1.0) -> None:
        self.smoothness = smoothness

    def fit(self, where: csr_array, target: Floats) -> TimeCurve:
        """Fit the course to (rows, minutes) probabilities and (rows,) targets."""
        minutes = where.shape[1]
        step = diags_array([-1.0, 1.0], offsets=[0, 1], shape=(minutes - 1, minutes))
        system = (where.T @ where + self.smoothness * (step.T @ step)).toarray()
        middle = target.mean()
        self.curve_ = middle + np.linalg.solve(system, where.T @ (target - middle))
        return self

    def predict(self, where: csr_array) -> Floats:
        """Return the expected target of (rows, minutes) probabilities."""
        return np.asarray(where @ self.curve_)
