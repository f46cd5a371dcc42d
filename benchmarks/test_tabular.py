"""Task 1, building features for LightGBM: locating rows in time, smoothing along it, and the course of the target."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from neoai_utils.tabular.clock import TimeMap, minutes_of
from neoai_utils.tabular.smoothing import kernel_curve
from neoai_utils.tabular.stacking import TimeCurve

SENSORS = tuple(f"feat_{i}" for i in range(9))
ROWS = 58_000


def some_table(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    minute = rng.integers(180, 2520, rows)
    sensors = {name: 100 * i + minute / 7 + rng.normal(0, 1, len(minute)) for i, name in enumerate(SENSORS)}
    clock = {"day": minute // 1440 + 1, "hour": minute // 60 % 24, "minute": minute % 60}
    frame = pd.DataFrame(sensors | clock).astype("float64")
    return frame.mask(rng.random(frame.shape) < 0.1)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return some_table(ROWS)


def row_by_row(time_map: TimeMap, table: pd.DataFrame, cap: float = 8.0) -> np.ndarray:
    """Bayes' rule for one row after the other, over all minutes."""
    times = time_map.start + np.arange(len(time_map.curves))
    parts = np.column_stack([times // 1440 + 1, times // 60 % 24, times % 60])
    chances = []
    for clock, reading in zip(
        table[["day", "hour", "minute"]].to_numpy(), table[list(SENSORS)].to_numpy(), strict=True
    ):
        fits = ((parts == clock) | np.isnan(clock)).all(axis=1)
        distance = np.nan_to_num((reading - time_map.curves) / time_map.noise)
        score = np.where(fits, -np.minimum(distance**2 / 2, cap).sum(axis=1), -np.inf)
        chance = np.exp(score - score.max())
        chances.append(chance / chance.sum())
    return np.array(chances)


def test_locate(against, table):
    time_map = TimeMap.fit(table, SENSORS)
    where, reference = against("1 · rows located in time, 58,000", lambda: row_by_row(time_map, table.head(500)),
                               lambda: time_map.locate(table), part=500 / ROWS)  # fmt: skip
    np.testing.assert_allclose(where[:500].toarray(), reference, atol=0.02)


def test_kernel_curve(against, table):
    minute, values = minutes_of(table) - 180, table["feat_1"].to_numpy()

    def by_definition():
        known = np.isfinite(minute) & np.isfinite(values)
        weights = np.exp(-0.5 * ((minute[known] - np.arange(100)[:, None]) / 2.0) ** 2)
        return weights @ values[known] / weights.sum(axis=1)

    curve, reference = against("1 · kernel curve, 58,000 rows", by_definition,
                               lambda: kernel_curve(values, minute, 2340, 2.0), part=100 / 2340)  # fmt: skip
    np.testing.assert_allclose(curve[:100], reference, rtol=1e-3)


def some_course(rows: int, minutes: int) -> tuple[csr_array, np.ndarray]:
    """Return rows that lie in one of three minutes, and their targets."""
    rng = np.random.default_rng(0)
    minute = rng.integers(0, minutes, (rows, 3))
    chances = rng.dirichlet([1, 0.1, 0.1], rows)
    where = csr_array((chances.ravel(), (np.repeat(np.arange(rows), 3), minute.ravel())), shape=(rows, minutes))
    return where, np.sin(minute[:, 0] / minutes * 9) + rng.normal(0, 0.1, rows)


def test_time_curve(against):
    where, target = some_course(ROWS, 2340)

    def written_out():
        steps = np.diff(np.eye(2340), axis=0)
        system = (where.T @ where).toarray() + steps.T @ steps
        return target.mean() + np.linalg.solve(system, where.T @ (target - target.mean()))

    curve, reference = against("1 · course of the target, 58,000 rows", written_out,
                               lambda: TimeCurve().fit(where, target).curve_)  # fmt: skip
    np.testing.assert_allclose(curve, reference, atol=1e-6)


def test_cost_of_the_course(growth):
    def prepare(size):
        where, target = some_course(size, size)
        return lambda: TimeCurve().fit(where, target)

    growth("1 · course of the target, a row a minute", prepare, 100_000)


def test_cost_of_locating(growth):
    def prepare(size):
        table = some_table(size)
        time_map = TimeMap.fit(table, SENSORS)
        return lambda: time_map.locate(table)

    growth("1 · rows located in time", prepare, ROWS)
