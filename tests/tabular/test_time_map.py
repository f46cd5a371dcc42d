"""Smoothing along time, and telling the time without a clock."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.errors import DataWarning
from neoai_utils.tabular import clock as clock_module
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


@pytest.mark.parametrize(
    ("clock", "nearest"),
    [
        ((3.0, 5.0, 6.0), 2519), ((0.0, 1.0, 2.0), 180), ((3.0, np.nan, np.nan), 2519), ((1.0, 1.0, np.nan), 180),
    ],
)  # fmt: skip
def test_a_clock_off_the_map_is_put_at_the_nearest_place(make_table, clock: tuple[float, ...], nearest: int) -> None:
    time_map = TimeMap.fit(make_table(9000, 0), SENSORS)
    rows = make_table(3, 1).assign(**dict(zip(("day", "hour", "minute"), clock, strict=True)))
    with pytest.warns(DataWarning, match="no place for the clock of 3 of 3 rows; they are put at the nearest"):
        where = time_map.locate(rows)
    np.testing.assert_array_equal(time_map.times[where.indices], [nearest] * 3)


def test_an_hour_that_the_map_never_shows_leaves_all_places(make_table) -> None:
    table = make_table(3000, 0)
    day = table[table["day"] == 1]  # from 3 o'clock on
    time_map = TimeMap.fit(day, SENSORS)
    row = make_table(1, 1, gaps=0.0).assign(day=np.nan, hour=1.0, feat_0=300 / 7)
    with pytest.warns(DataWarning, match="1 of 1 rows"):
        assert time_map.locate(row).sum() == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 60]), st.sampled_from([0, 1, 400]))
def test_a_map_has_a_few_places_for_each_row(seed: int, step: int, first: int) -> None:
    """Hourly or by the minute, dense or with long gaps: what lies between near rows is there, of gaps the edges."""
    rng = np.random.default_rng(seed)
    minute = step * np.cumsum(rng.choice([0, 1, 1, 2, 9, 5000], 40)) + 1440 * (first - 1)
    table = pd.DataFrame({"day": minute // 1440 + 1, "hour": minute // 60 % 24, "minute": minute % 60, "x": 1.0})
    time_map = TimeMap.fit(table.astype(float), ("x",))
    assert set(minute) <= set(time_map.times)
    assert len(time_map.times) <= 17 * 40
    assert (np.diff(time_map.times) > 0).all()
    assert (time_map.times[0], time_map.times[-1]) == (minute.min(), minute.max())
    gaps = np.diff(np.unique(minute))
    whole = np.gcd.reduce(gaps) if gaps.size else 1
    for before, gap in zip(np.unique(minute), gaps, strict=False):
        if gap <= 17 * whole:
            assert set(range(before, before + gap, whole)) <= set(time_map.times)


def test_hourly_rows_find_their_hour_again() -> None:
    rng = np.random.default_rng(0)
    hour = np.arange(3000)
    sensors = {f"s{i}": hour / (9 + i) + rng.normal(0, 0.3, 3000) for i in range(4)} | {"rain": np.zeros(3000)}
    table = pd.DataFrame({"day": hour // 24 + 1, "hour": hour % 24, "minute": 0} | sensors).astype(float)
    table["day"], table["hour"] = (table[part].mask(rng.random(3000) < 0.3) for part in ("day", "hour"))
    time_map = TimeMap.fit(table, tuple(sensors))
    assert 2990 < len(time_map.times) <= 3000, "a place an hour"
    assert (time_map.noise > 0).all(), "a constant sensor speaks for no place"
    found = time_map.features(time_map.locate(table))["time"].to_numpy() / 60
    miss = np.abs(found - hour)[np.isnan(minutes_of(table))]
    assert np.median(miss) < 3
    assert np.quantile(miss, 0.95) < 24


def test_a_map_without_sensors_knows_the_clock_alone(make_table) -> None:
    table = make_table(3000, 0)
    time_map = TimeMap.fit(table, ())
    where = time_map.locate(table)
    np.testing.assert_allclose(where.sum(axis=1), 1)
    assert list(time_map.features(where).columns) == ["time"]
    row = int(np.flatnonzero(table["minute"].isna() & table["hour"].notna() & table["day"].notna())[0])
    assert where[[row]].nnz == 60


def test_a_flat_course_of_years_gives_few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "_CELLS", 50_000)
    minute = np.arange(30_000)
    table = pd.DataFrame({"day": minute // 1440 + 1, "hour": minute // 60 % 24, "minute": minute % 60}).astype(float)
    table = table.assign(x=np.random.default_rng(0).normal(size=30_000))
    nothing = table.head(5).assign(day=np.nan, hour=np.nan, minute=np.nan, x=np.nan)
    where = TimeMap.fit(table, ("x",)).locate(nothing)
    np.testing.assert_allclose(where.sum(axis=1), 1)
    assert where.nnz <= 5 * 10_000
    times = where @ np.arange(30_000.0)
    np.testing.assert_allclose(times, 15_000, rtol=0.01)


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


def test_a_map_needs_clocks(make_table) -> None:
    with pytest.raises(ValueError, match="time map"):
        TimeMap.fit(make_table(50, 0).assign(minute=np.nan), SENSORS)
