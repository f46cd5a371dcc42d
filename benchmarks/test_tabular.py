"""Locating rows in time and smoothing along it, each against a plain reference; ratios are printed, nothing gates."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from neoai_utils.tabular.clock import TimeMap, minutes_of
from neoai_utils.tabular.smoothing import kernel_curve

SENSORS = tuple(f"feat_{i}" for i in range(9))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    minute = rng.integers(180, 2520, 58_000)
    sensors = {name: 100 * i + minute / 7 + rng.normal(0, 1, len(minute)) for i, name in enumerate(SENSORS)}
    clock = {"day": minute // 1440 + 1, "hour": minute // 60 % 24, "minute": minute % 60}
    frame = pd.DataFrame(sensors | clock).astype("float64")
    return frame.mask(rng.random(frame.shape) < 0.1)


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


def test_locate(benchmark, table: pd.DataFrame) -> None:
    time_map = TimeMap.fit(table, SENSORS)
    where = benchmark.pedantic(time_map.locate, (table,), rounds=3)
    some = table.head(500)
    start = time.perf_counter()
    reference = row_by_row(time_map, some)
    slow = (time.perf_counter() - start) * len(table) / len(some)
    np.testing.assert_allclose(where[:500].toarray(), reference, atol=0.02)
    print(f"\nlocate: {slow / benchmark.stats['median']:.0f} times as fast as row by row (from 500 rows)")


def test_kernel_curve(benchmark, table: pd.DataFrame) -> None:
    minute, values = minutes_of(table) - 180, table["feat_1"].to_numpy()
    curve = benchmark(kernel_curve, values, minute, 2340, 2.0)
    known = np.isfinite(minute) & np.isfinite(values)
    start = time.perf_counter()
    weights = np.exp(-0.5 * ((minute[known] - np.arange(100)[:, None]) / 2.0) ** 2)
    reference = weights @ values[known] / weights.sum(axis=1)
    slow = (time.perf_counter() - start) * 2340 / 100
    np.testing.assert_allclose(curve[:100], reference, rtol=1e-3)
    print(f"\nkernel curve: {slow / benchmark.stats['median']:.0f} times as fast as its definition (from 100 minutes)")
