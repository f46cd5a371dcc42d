"""The choice: differences within one standard error go to the simpler row, larger ones to the better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neoai_utils.choice import compare, simplest_of_best
from neoai_utils.errors import ParameterError
from neoai_utils.scores import Grades, bootstrap
from neoai_utils.tabular import metric

ROWS = 4000
TARGET = np.zeros(ROWS)


def noise(deviation: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, ROWS)


def table(rows: dict[str, np.ndarray]) -> pd.DataFrame:
    """Compare predictions by the metric of task 1, in which lower is better."""
    return compare({name: metric.grade(values, TARGET) for name, values in rows.items()}, higher_is_better=False)


def test_scores_and_standard_errors_have_their_known_values() -> None:
    found = table({"wide": noise(2, 1), "narrow": noise(1, 2)})
    np.testing.assert_allclose(found["validation"], [2**0.5, 1], rtol=0.02)
    # the variance of a mean of squares is 2 sigma^4 / n; by the delta method, that of its fourth root has sd / 4 of it
    np.testing.assert_allclose(found["validation_error"], found["validation"] * (2 / ROWS) ** 0.5 / 4, rtol=0.25)
    assert found.loc["narrow", ["behind", "behind_error"]].tolist() == [0, 0]
    assert found.loc["wide", "behind"] == pytest.approx(found["validation"].max() - found["validation"].min())
    assert found.loc["wide", "behind_error"] == pytest.approx(np.hypot(*found["validation_error"]), rel=0.25)


def test_the_same_hard_rows_cancel_in_a_difference() -> None:
    hard = noise(3, 1)
    found = table({"a": hard, "b": hard + noise(0.1, 2)})
    assert found["behind_error"].max() < 0.1 * found["validation_error"].min()


def test_a_tie_goes_to_the_simpler_and_a_lead_to_the_better() -> None:
    simple, better = noise(1, 1), 0.9 * noise(1, 1)
    twin = simple + np.where(np.arange(ROWS) % 2, 1e-3, -1e-3) * np.sign(noise(1, 5))
    assert simplest_of_best(table({"simple": simple, "twin": twin})) == "simple"
    assert simplest_of_best(table({"twin": twin, "simple": simple})) == "twin"
    assert simplest_of_best(table({"simple": simple, "better": better, "twin": twin})) == "better"


def test_the_direction_of_the_metric_decides_who_leads() -> None:
    right = {"low": np.arange(100) < 40, "high": np.arange(100) < 60}
    grades = {
        name: Grades(values.mean(), draws=bootstrap(lambda counts, v=values: np.average(v, weights=counts), 100))
        for name, values in right.items()
    }
    up, down = (compare(grades, higher_is_better=higher) for higher in (True, False))
    assert (simplest_of_best(up), simplest_of_best(down)) == ("high", "low")
    assert up["behind"].tolist() == pytest.approx([0.2, 0])
    assert down["behind"].tolist() == pytest.approx([0, 0.2])


def test_the_rule_is_one_standard_error_of_the_difference() -> None:
    found = pd.DataFrame({"behind": [0.21, 0.2, 0.0], "behind_error": [0.2, 0.2, 0.0]}, index=["a", "b", "c"])
    assert simplest_of_best(found) == "b"


def test_one_item_and_one_row_are_enough() -> None:
    assert simplest_of_best(compare({"only": metric.grade([1.0], [0.0])}, higher_is_better=False)) == "only"


def test_without_rows_or_draws_there_is_nothing_to_compare() -> None:
    with pytest.raises(ParameterError, match="no row to compare"):
        compare({}, higher_is_better=True)
    with pytest.raises(ParameterError, match="no bootstrap draws"):
        compare({"a": Grades(1.0)}, higher_is_better=True)
