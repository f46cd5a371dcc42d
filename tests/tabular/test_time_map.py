"""Smoothing along time, and telling the time without a clock."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.tabular.clock import TimeMap, minutes_of
from neoai_utils.tabular.smoothing import explained_by_time, kernel_curve, robust_curve


def slow_kernel_curve(values, minute, length: int, width: float) -> np.ndarray:
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
    expected = slow_kernel_curve(values, minute, 40, width)
    np.testing.assert_allclose(kernel_curve(values, minute, 40, width), expected, rtol=1e-9)


def test_width_zero_is_the_mean_of_each_minute_and_gaps_are_bridged() -> None:
    values, minute = np.array([1.0, 3.0, 8.0]), np.array([0.0, 0.0, 3.0])
    np.testing.assert_allclose(kernel_curve(values, minute, 5, 0), [2, 4, 6, 8, 8])


def test_a_curve_needs_a_row() -> None:
    with pytest.raises(ValueError, match="at least one row"):
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


def test_minutes_since_midnight_of_day_1() -> None:
    table = pd.DataFrame({"day": [1.0, 2, np.nan, 1], "hour": [3.0, 17, 4, np.nan], "minute": [0.0, 59, 5, 6]})
    np.testing.assert_array_equal(minutes_of(table), [180, 2519, np.nan, np.nan])


SENSORS = tuple(f"feat_{i}" for i in range(9))


def test_rows_find_their_minute_again(make_table) -> None:
    whole = make_table(6000, 0, gaps=0.0)
    truth = minutes_of(whole)
    table = whole.mask(np.random.default_rng(1).random(whole.shape) < 0.1)
    time_map = TimeMap.fit(table, SENSORS)
    where = time_map.locate(table)
    np.testing.assert_allclose(where.sum(axis=1), 1)
    time = time_map.features(where)["time"].to_numpy() + time_map.start
    known = np.isfinite(minutes_of(table))
    np.testing.assert_allclose(time[known], truth[known])
    assert 0.2 < (~known).mean() < 0.35
    assert np.median(np.abs(time - truth)[~known]) < 10
    assert np.mean(np.abs(time - truth)[~known] > 120) < 0.02


def test_known_parts_of_the_clock_are_never_contradicted(make_table) -> None:
    table = make_table(3000, 0)
    time_map = TimeMap.fit(table, SENSORS)
    rows, minutes = time_map.locate(table).nonzero()
    time = time_map.start + minutes
    for part, value in (("day", time // 1440 + 1), ("hour", time // 60 % 24), ("minute", time % 60)):
        given_part = table[part].to_numpy()[rows]
        assert ((given_part == value) | np.isnan(given_part)).all()


def test_a_broken_unit_does_not_outvote_the_others(make_table) -> None:
    table = make_table(6000, 0, gaps=0.0)
    time_map = TimeMap.fit(table, SENSORS)
    rows = table.head(100).copy()
    truth = minutes_of(rows)
    rows[["hour", "minute"]] = np.nan
    rows[["feat_3", "feat_5", "feat_6", "feat_7"]] = 0.0
    time = time_map.features(time_map.locate(rows))["time"] + time_map.start
    assert np.median(np.abs(time - truth)) < 10


def test_a_row_with_nothing_known_may_be_anywhere(make_table) -> None:
    table = make_table(3000, 0)
    time_map = TimeMap.fit(table, SENSORS)
    nothing = pd.DataFrame(np.nan, index=[0], columns=table.columns)
    where = time_map.locate(nothing)
    np.testing.assert_allclose(where.toarray(), 1 / where.shape[1])


def test_an_impossible_clock_is_named(make_table) -> None:
    table = make_table(3000, 0)
    late = table.head(1).assign(day=3.0)
    with pytest.raises(ValueError, match="row 0: no minute"):
        TimeMap.fit(table, SENSORS).locate(late)


def test_a_map_needs_clocks(make_table) -> None:
    with pytest.raises(ValueError, match="time map"):
        TimeMap.fit(make_table(50, 0).assign(minute=np.nan), SENSORS)
