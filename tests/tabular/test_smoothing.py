"""Kernel means along time, without outliers, and the share of variance that time explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.errors import DataError
from neoai_utils.tabular.smoothing import explained_by_time, explains_target, kernel_curve, robust_curve


def kernel_mean_by_definition(values, minute, length: int, width: float) -> np.ndarray:
    """The definition of Nadaraya and Watson, one minute after the other."""
    known = np.isfinite(values) & np.isfinite(minute)
    curve = []
    for at in range(length):
        weight = np.exp(-0.5 * ((minute[known] - at) / width) ** 2) * (np.abs(minute[known] - at) <= 4 * width + 0.5)
        curve.append((weight * values[known]).sum() / weight.sum())
    return np.array(curve)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from([1.0, 2.0, 3.0]))
def test_the_curve_is_the_kernel_mean(seed: int, width: float) -> None:
    rng = np.random.default_rng(seed)
    minute = np.concatenate([np.arange(40), rng.integers(0, 40, 60), [np.nan]])
    values = rng.normal(1000, 5, len(minute))
    values[50:55] = np.nan
    expected = kernel_mean_by_definition(values, minute, 40, width)
    np.testing.assert_allclose(kernel_curve(values, minute, 40, width), expected, rtol=1e-9)


def test_width_zero_is_the_mean_of_each_minute_and_gaps_are_bridged() -> None:
    values, minute = np.array([1.0, 3.0, 8.0]), np.array([0.0, 0.0, 3.0])
    np.testing.assert_allclose(kernel_curve(values, minute, 5, 0), [2, 4, 6, 8, 8])


def test_a_curve_needs_a_row() -> None:
    with pytest.raises(DataError, match="at least one row"):
        kernel_curve(np.array([1.0, np.nan]), np.array([np.nan, 2.0]), 5, 1)


def test_outliers_do_not_move_the_robust_curve() -> None:
    rng = np.random.default_rng(0)
    minute = np.repeat(np.arange(100.0), 20)
    truth = 50 + 10 * np.sin(minute / 15)
    values = truth + rng.normal(0, 1, len(minute))
    values[rng.random(len(values)) < 0.05] = -1000
    curve, noise = robust_curve(values, minute, 100, 1.0)
    assert np.abs(curve - truth[::20]).max() < 1
    assert noise == pytest.approx(1, abs=0.1)
    assert np.abs(kernel_curve(values, minute, 100, 1.0) - truth[::20]).max() > 20, "the plain one is moved"


def test_explained_by_time_knows_noise_and_signal() -> None:
    rng = np.random.default_rng(0)
    minute = rng.integers(0, 200, 4000).astype(float)
    assert explained_by_time(rng.normal(size=4000), minute) == pytest.approx(0, abs=0.03)
    assert explained_by_time(np.sin(minute / 20), minute) == pytest.approx(1)
    half = np.sqrt(2) * np.sin(minute / 20) + rng.normal(size=4000)
    assert explained_by_time(half, minute) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("rows", [200, 5000])
def test_one_row_a_minute_tells_sensors_from_noise(rows: int) -> None:
    rng = np.random.default_rng(0)
    minute = rng.permutation(rows).astype(float)
    minute[::9] = np.nan
    slow = np.sin(minute / 40) + rng.normal(0, 0.3, rows)
    assert explained_by_time(np.sin(minute / 40), minute) == pytest.approx(1, abs=0.01)
    assert explained_by_time(slow, minute) == pytest.approx(1 / (1 + 2 * 0.3**2), abs=0.08)
    assert abs(explained_by_time(rng.normal(size=rows), minute)) < 3 / np.sqrt(rows)


@pytest.mark.parametrize("values", [np.full(90, 5.0), np.full(90, np.nan), np.r_[np.arange(29.0), [np.nan] * 61]])
def test_what_does_not_vary_or_is_hardly_there_is_no_sensor(values: np.ndarray) -> None:
    assert explained_by_time(values, np.arange(90.0)) == 0
    assert explained_by_time(values, np.arange(90.0) // 3) == 0


def test_a_sensor_that_ignores_time_may_still_explain_the_target() -> None:
    rng = np.random.default_rng(0)
    minute, fast = np.arange(4000.0) // 20, rng.normal(size=4000)
    fast[::9] = np.nan
    target = np.nan_to_num(fast) ** 2  # no correlation, and full dependence
    assert explained_by_time(fast, minute) < 0.05
    assert explains_target(fast, target) > 0.8
    assert abs(explains_target(rng.normal(size=4000), target)) < 0.02


@pytest.mark.parametrize("readings", [np.full(90, np.nan), np.full(90, 7.0), np.r_[np.zeros(80), np.ones(10)]])
def test_readings_without_twentieths_explain_no_random_target(readings: np.ndarray) -> None:
    assert abs(explains_target(readings, np.random.default_rng(1).normal(size=90))) < 0.1
