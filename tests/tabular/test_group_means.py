"""Means over the rows of a group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neoai_utils.tabular.group_means import group_means


def test_group_means_by_hand() -> None:
    table = pd.DataFrame({"hour": [1.0, 1, 2, np.nan], "x": [1.0, 3, np.nan, 7]})
    means = group_means(table, ["hour"], ["x"])
    np.testing.assert_array_equal(means["x_by_hour"], [2, 2, np.nan, np.nan])


def test_means_of_no_columns(make_table) -> None:
    assert group_means(make_table(50, 0), ["day", "hour"], ()).shape == (50, 0)
