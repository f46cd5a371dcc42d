"""The competition's metric: the fourth root of the mean squared error, lower is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neoai_utils.scores import Grades, bootstrap

__all__ = ["fourth_root_mse", "grade"]


def grade(predictions: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> Grades:
    """Grade predictions.

    Args:
        predictions: (rows,) in the target's units.
        target: (rows,) true values.
        weight: (rows,) positive weights of the means; None for equal ones.

    Returns:
        The fourth root of the mean squared error as the score; `rmse` and `mae` as parts.
    """
    misses = np.asarray(predictions, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    weights = np.ones(len(misses)) if weight is None else np.asarray(weight, dtype=np.float64)
    score = fourth_root_mse(target, predictions, weights)
    draws = bootstrap(lambda counts: fourth_root_mse(target, predictions, counts * weights), len(misses))
    return Grades(score, {"rmse": score**2, "mae": float(np.average(np.abs(misses), weights=weights))}, draws)


def fourth_root_mse(target: ArrayLike, predictions: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return mean((target - predictions)^2)^(1/4), the square root of the RMSE.

    Args:
        target: (rows,) true values.
        predictions: (rows,) in the target's units.
        weight: (rows,) weights of the mean; None for equal ones.
    """
    error = np.asarray(target, dtype=np.float64) - np.asarray(predictions, dtype=np.float64)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    return float(np.average(error**2, weights=weights) ** 0.25)
