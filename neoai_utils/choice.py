"""The choice among a notebook's rows: the simplest one that the validation cannot tell from the best.

A validation score is computed on few items, so it has a sampling error, and the best of many rows is partly the
luckiest. The bootstrap (Efron 1979) estimates the error of a difference: all rows are scored on the same draws of the
items. This error is smaller than that of either score, because the same items are hard for both rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

    from neoai_utils.scores import Grades

__all__ = ["compare", "simplest_of_best"]


def compare(validations: Mapping[str, Grades], *, higher_is_better: bool) -> pd.DataFrame:
    """Return the validation score of each row and its distance from the best, with standard errors.

    Args:
        validations: row -> its grades on the same items, with their draws.
        higher_is_better: the metric's direction.

    Returns:
        One line per row, in the given order, with the columns `validation`, `behind` (its distance from the best row,
        at least 0), and their standard errors `validation_error` and `behind_error`.

    Raises:
        ParameterError: there is no row, or one has no draws.
    """
    import numpy as np
    import pandas as pd

    if not validations:
        raise ParameterError("there is no row to compare; give at least one.")
    scores = np.array([grades.score for grades in validations.values()])
    samples = [grades.draws for grades in validations.values() if grades.draws is not None]
    if len(samples) < len(scores):
        raise ParameterError("a row's grades have no bootstrap draws; grade it by the task's module `metric`.")
    sign = 1 if higher_is_better else -1
    best = int((sign * scores).argmax())
    table = {
        "validation": scores,
        "validation_error": [grades.error for grades in validations.values()],
        "behind": sign * (scores[best] - scores) + 0.0,  # the best row's is 0, not -0
        "behind_error": [np.std(samples[best] - draws, ddof=1) for draws in samples],
    }
    return pd.DataFrame(table, index=pd.Index(validations, name="row"))


def simplest_of_best(comparison: pd.DataFrame) -> str:
    """Return the first row that is at most one standard error behind the best.

    Args:
        comparison: as `compare` returns it, the simplest row first.
    """
    tied = comparison["behind"] <= comparison["behind_error"]
    return str(comparison.index[tied][0])
