"""The competition's metric: the fourth root of the mean squared error, lower is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neoai_utils.scores import Grades, standard_error

__all__ = ["fourth_root_mse", "grade"]


def grade(predictions: ArrayLike, target: ArrayLike) -> Grades:
    """Grade predictions.

    Args:
        predictions: (rows,) in the target's units.
        target: (rows,) true values.

    Returns:
        The fourth root of the mean squared error as the score; `rmse` and `mae` as parts.
    """
    score = fourth_root_mse(target, predictions)
    misses = np.asarray(predictions, dtype=np.float64) - np.asarray(target, dtype=np.float64)
    error = standard_error(lambda counts: fourth_root_mse(target, predictions, counts), len(misses))
    return Grades(score, {"rmse": score**2, "mae": float(np.abs(misses).mean())}, error)


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
