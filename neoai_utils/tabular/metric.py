"""The metric of the competition."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["fourth_root_mse"]


def fourth_root_mse(target: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Return mean((target - prediction)^2)^(1/4), which is the square root of the RMSE; lower is better.

    With `weight`, (rows,), the mean is a weighted one.
    """
    error = np.asarray(target, dtype=np.float64) - np.asarray(prediction, dtype=np.float64)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    return float(np.average(error**2, weights=weights) ** 0.25)
