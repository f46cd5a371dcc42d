"""Weights of training rows: like the test table, and powers of the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neoai_utils.errors import DataWarning
from neoai_utils.tabular.row_weights import density_ratio, power_weights


def test_density_ratio_finds_the_shift() -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"x": rng.normal(0, 1, 4000)})
    alike, area = density_ratio(train, pd.DataFrame({"x": rng.normal(0, 1, 2000)}))
    assert area == pytest.approx(0.5, abs=0.03)
    shifted, area = density_ratio(train, pd.DataFrame({"x": rng.normal(1, 1, 2000)}))
    assert area > 0.7
    assert shifted.mean() == pytest.approx(1)
    assert np.average(train["x"], weights=shifted) == pytest.approx(1, abs=0.2), "weighted rows resemble the test"
    assert np.average(train["x"], weights=alike) == pytest.approx(0, abs=0.15)


def test_weights_are_powers_of_the_target() -> None:
    low = power_weights(np.array([100.0, 200, 400]), -2)
    np.testing.assert_allclose(low / low[0], [1, 1 / 4, 1 / 16])
    assert low.mean() == pytest.approx(1)
    high = power_weights(np.array([100.0, 200, 400]), 1)
    np.testing.assert_allclose(high / high[0], [1, 2, 4])
    np.testing.assert_array_equal(power_weights(np.array([1.0, 2.0]), 0), [1, 1])


@pytest.mark.parametrize("target", [[0.0, 1.0, 5.0], [-700.0, 0.0, 3.0], [-1.0, -1.0, -1.0]])
def test_weights_of_targets_without_a_power_fall_all_the_same(target: list[float]) -> None:
    values = np.array(target)
    with pytest.warns(DataWarning, match=f"goes down to {values.min():g}"):
        weight = power_weights(values, -2)
    assert (weight > 0).all()
    assert (np.diff(weight) <= 0).all()
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(power_weights(values, 0), np.ones(3))


@pytest.mark.parametrize(("extreme", "power"), [(1e-300, -2), (1e200, 2)])
def test_extreme_targets_have_finite_weights(extreme: float, power: float) -> None:
    weight = power_weights(np.array([extreme, *[100.0] * 999]), power)
    assert np.isfinite(weight).all()
    assert weight[0] <= 1000


def test_tables_of_a_row_or_two_cannot_be_told_apart() -> None:
    weight, area = density_ratio(pd.DataFrame({"x": np.arange(9.0)}), pd.DataFrame({"x": [100.0, 101.0]}))
    assert (weight.tolist(), area) == ([1.0] * 9, 0.5)


def test_tables_that_do_not_overlap_give_finite_weights() -> None:
    weight, area = density_ratio(pd.DataFrame({"x": np.arange(900.0)}), pd.DataFrame({"x": np.arange(900.0) + 1e6}))
    assert area > 0.99
    assert np.isfinite(weight).all()
    assert weight.min() > 0
