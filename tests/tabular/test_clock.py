"""Time as one number, and its recovery where a part of the clock is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.errors import DataError, DataWarning
from neoai_utils.tabular import clock as clock_module
from neoai_utils.tabular.clock import TimeMap, minutes_of


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
def test_a_clock_off_the_map_is_assigned_to_the_nearest_time(
    make_table, clock: tuple[float, ...], nearest: int
) -> None:
    time_map = TimeMap.fit(make_table(9000, 0), SENSORS)
    rows = make_table(3, 1).assign(**dict(zip(("day", "hour", "minute"), clock, strict=True)))
    with pytest.warns(DataWarning, match="no time for the clock of 3 of 3 rows; the nearest one is taken"):
        where = time_map.locate(rows)
    np.testing.assert_array_equal(time_map.times[where.indices], [nearest] * 3)


def test_an_hour_that_the_map_does_not_have_leaves_all_times(make_table) -> None:
    table = make_table(3000, 0)
    day = table[table["day"] == 1]  # from 3 o'clock on
    time_map = TimeMap.fit(day, SENSORS)
    row = make_table(1, 1, gaps=0.0).assign(day=np.nan, hour=1.0, feat_0=300 / 7)
    with pytest.warns(DataWarning, match="1 of 1 rows"):
        assert time_map.locate(row).sum() == pytest.approx(1)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from([1, 5, 60]), st.sampled_from([0, 1, 400]))
def test_a_map_has_a_few_times_for_each_row(seed: int, step: int, first: int) -> None:
    """Hourly or by the minute, dense or with long gaps: all steps between near rows, and the ends of gaps."""
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
    assert 2990 < len(time_map.times) <= 3000, "a time an hour"
    assert (time_map.noise > 0).all(), "a constant sensor favours no time"
    recovered = time_map.features(time_map.locate(table))["time"].to_numpy() / 60
    miss = np.abs(recovered - hour)[np.isnan(minutes_of(table))]
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
    monkeypatch.setattr(clock_module, "_BLOCK_SIZE", 50_000)
    minute = np.arange(30_000)
    table = pd.DataFrame({"day": minute // 1440 + 1, "hour": minute // 60 % 24, "minute": minute % 60}).astype(float)
    table = table.assign(x=np.random.default_rng(0).normal(size=30_000))
    nothing = table.head(5).assign(day=np.nan, hour=np.nan, minute=np.nan, x=np.nan)
    where = TimeMap.fit(table, ("x",)).locate(nothing)
    np.testing.assert_allclose(where.sum(axis=1), 1)
    assert where.nnz <= 5 * 10_000
    times = where @ np.arange(30_000.0)
    np.testing.assert_allclose(times, 15_000, rtol=0.01)


def test_a_map_needs_clocks(make_table) -> None:
    with pytest.raises(DataError, match="time map"):
        TimeMap.fit(make_table(50, 0).assign(minute=np.nan), SENSORS)
