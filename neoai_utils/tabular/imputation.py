"""Missing values, filled by the published recipe's medians with flags or by regression on the other columns."""

from __future__ import annotations

import warnings

import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes the next import possible)
from sklearn.impute import IterativeImputer

__all__ = ["median_fill_with_flags", "regression_fill"]

_BELOW = {"feat_0": 500.0, "feat_5": 60.0, "feat_3": 90.0, "feat_6": 3000.0}
_ABOVE = {"feat_7": 1000.0, "feat_8": 620.0}
_DROPPED = ("feat_3_is_nan", "feat_2_is_nan", "feat_2", "feat_0_is_nan", "minute_is_nan")
_ROUNDS = 10


def median_fill_with_flags(train: pd.DataFrame, test: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the features of the published solution, which trains on the logarithm of the target.

    It adds a flag for each missing value and six flags at thresholds taken from histograms (0 where the value is
    missing), drops five columns, and fills every missing value with the training median. (`stefanasandei/roai-solved`,
    international-contests/neoai/2025, task 1.) Columns that the tables do not have are skipped.

    Args:
        train: (train rows, features), NaN where missing.
        test: (test rows, features), the same columns.

    Returns:
        The features of both tables, float64 without NaN.
    """
    prepared = [_flagged(table) for table in (train, test)]
    medians = prepared[0].median()
    return prepared[0].fillna(medians), prepared[1].fillna(medians)


def _flagged(table: pd.DataFrame) -> pd.DataFrame:
    flags = {f"{name}_is_nan": table[name].isna() for name in table}
    flags |= {f"{name}_below_{bound:g}": table[name] < bound for name, bound in _BELOW.items() if name in table}
    flags |= {f"{name}_above_{bound:g}": table[name] > bound for name, bound in _ABOVE.items() if name in table}
    flagged = table.assign(**{name: flag.astype(float) for name, flag in flags.items()})
    return flagged.drop(columns=list(_DROPPED), errors="ignore")


def regression_fill(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with each column's missing values predicted by Bayesian ridge regression on the other columns.

    The columns are filled in turn, ten times over (chained equations: van Buuren and Groothuis-Oudshoorn 2011, in
    scikit-learn's `IterativeImputer`).

    Args:
        table: (rows, columns) float64, NaN where missing.

    Returns:
        (rows, columns) float64 without NaN. A constant column is filled with its value, an empty one with 0.
    """
    centre, spread = table.mean().fillna(0.0), table.std().replace(0.0, 1.0).fillna(1.0)
    scaled = (table - centre) / spread
    scaled.loc[:, table.isna().all()] = 0.0
    with warnings.catch_warnings():  # the tolerance is far stricter than a feature needs
        warnings.simplefilter("ignore", ConvergenceWarning)
        filled = IterativeImputer(max_iter=_ROUNDS, random_state=0).fit_transform(scaled)
    return table.fillna(pd.DataFrame(filled, table.index, table.columns) * spread + centre)
