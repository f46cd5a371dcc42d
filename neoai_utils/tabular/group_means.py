"""Means over groups of rows of both tables, the simplest use of unlabelled test rows."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

__all__ = ["group_means"]


def group_means(table: pd.DataFrame, keys: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Return for each row the means of some columns over the rows of its group.

    Args:
        table: (rows, features) the rows of both tables.
        keys: columns that define the group; a row with a missing value in one of them gets NaN.
        columns: columns to average; missing values are skipped.

    Returns:
        (rows, columns) means, named `<column>_by_<keys>`.
    """
    means = table.groupby(list(keys))[list(columns)].transform("mean")
    return means.add_suffix("_by_" + "_".join(keys))
