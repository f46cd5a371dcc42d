"""The choice: differences within one standard error go to the simpler experiment, larger ones to the better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neoai_utils.errors import ParameterError
from neoai_utils.tabular.choice import compare, simplest_of_best

ROWS = 4000
TARGET = np.zeros(ROWS)
EVEN = np.ones(ROWS)


def noise(deviation: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, ROWS)


def test_scores_and_standard_errors_have_their_known_values() -> None:
    table = compare({"wide": noise(2, 1), "narrow": noise(1, 2)}, TARGET, EVEN, draws=400)
    np.testing.assert_allclose(table["validation"], [2**0.5, 1], rtol=0.02)
    # the variance of a mean of squares is 2 sigma^4 / n; by the delta method, that of its fourth root has sd / 4 of it
    np.testing.assert_allclose(table["validation_se"], table["validation"] * (2 / ROWS) ** 0.5 / 4, rtol=0.15)
    assert table.loc["narrow", ["behind", "behind_se"]].tolist() == [0, 0]
    assert table.loc["wide", "behind"] == pytest.approx(table["validation"].max() - table["validation"].min())
    assert table.loc["wide", "behind_se"] == pytest.approx(np.hypot(*table["validation_se"]), rel=0.15)


def test_the_same_hard_rows_cancel_in_a_difference() -> None:
    hard = noise(3, 1)
    table = compare({"a": hard, "b": hard + noise(0.1, 2)}, TARGET, EVEN)
    assert table["behind_se"].max() < 0.1 * table["validation_se"].min()


def test_weights_decide_which_rows_count() -> None:
    first = np.arange(ROWS) < ROWS // 2
    table = compare({"a": np.where(first, 16.0, 0.0), "b": np.where(first, 0.0, 1.0)}, TARGET, first.astype(float))
    assert table["validation"].tolist() == [4, 0]
    assert simplest_of_best(table) == "b"


def test_a_tie_goes_to_the_simpler_and_a_lead_to_the_better() -> None:
    simple, better = noise(1, 1), 0.9 * noise(1, 1)
    twin = simple + np.where(np.arange(ROWS) % 2, 1e-3, -1e-3) * np.sign(noise(1, 5))
    assert simplest_of_best(compare({"simple": simple, "twin": twin}, TARGET, EVEN)) == "simple"
    assert simplest_of_best(compare({"twin": twin, "simple": simple}, TARGET, EVEN)) == "twin"
    assert simplest_of_best(compare({"simple": simple, "better": better, "twin": twin}, TARGET, EVEN)) == "better"


def test_the_rule_is_one_standard_error_of_the_difference() -> None:
    table = pd.DataFrame({"behind": [0.21, 0.2, 0.0], "behind_se": [0.2, 0.2, 0.0]}, index=["a", "b", "c"])
    assert simplest_of_best(table) == "b"


def test_one_row_and_one_experiment_are_enough() -> None:
    assert simplest_of_best(compare({"only": np.ones(1)}, np.zeros(1), np.ones(1))) == "only"
    with pytest.raises(ParameterError, match="no experiment"):
        compare({}, TARGET, EVEN)
