"""The choice among experiments: the simplest one that held-out rows cannot tell from the best.

A validation score is a mean over rows, most of it over the few rows with large errors, so it has a sampling error. The
bootstrap (Efron 1979) estimates it: the held-out rows are drawn again, with replacement, and all experiments are scored
on the same draw. The difference of two experiments has a smaller error than either score, because the same rows are
hard for both.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from neoai_utils.arrays import Float64
from neoai_utils.errors import ParameterError

__all__ = ["compare", "simplest_of_best"]


def compare(
    predictions: Mapping[str, Float64], target: Float64, weight: Float64, *, draws: int = 200, seed: int = 0
) -> pd.DataFrame:
    """Return the validation score of each experiment and its distance from the best, with standard errors.

    Args:
        predictions: experiment -> (held-out rows,) predictions.
        target: (held-out rows,) the target.
        weight: (held-out rows,) weights of the mean square.
        draws: bootstrap samples of the rows.
        seed: of the samples.

    Returns:
        One row per experiment, in the order of `predictions`, with the columns `validation` (the fourth root of the
        mean squared error), `behind` (its difference to the best experiment, at least 0), and their standard errors
        `validation_se` and `behind_se`.

    Raises:
        ParameterError: there is no experiment.
    """
    if not predictions:
        raise ParameterError("there is no experiment to compare; give at least one.")
    squares = np.column_stack([(values - target) ** 2 for values in predictions.values()])
    scores = np.average(squares, axis=0, weights=weight) ** 0.25
    samples = _bootstrap(squares, weight, draws, seed)
    best = scores.argmin()
    table = {
        "validation": scores,
        "validation_se": samples.std(axis=0),
        "behind": scores - scores[best],
        "behind_se": (samples - samples[:, [best]]).std(axis=0),
    }
    return pd.DataFrame(table, index=pd.Index(predictions, name="experiment"))


def simplest_of_best(comparison: pd.DataFrame) -> str:
    """Return the first experiment that is at most one standard error behind the best.

    Args:
        comparison: as `compare` returns it, the simplest experiment first.
    """
    tied = comparison["behind"] <= comparison["behind_se"]
    return str(comparison.index[tied][0])


def _bootstrap(squares: Float64, weight: Float64, draws: int, seed: int) -> Float64:
    """Return (draws, experiments) scores on rows drawn with replacement."""
    rng = np.random.default_rng(seed)
    rows = len(squares)
    counts = (np.bincount(rng.integers(rows, size=rows), minlength=rows) * weight for _ in range(draws))
    return np.array([np.average(squares, axis=0, weights=count) ** 0.25 for count in counts])
