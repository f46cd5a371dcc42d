"""The miniature of task 1: 39 generated hours of a power unit, in the competition's exact file format.

The real rows are not public. Participants' notebooks print figures of them: counts of missing values, the histogram of
the target, correlations, standard deviations per hour, a few rows. The generator is fitted to these figures. A slow
load (the target) drives eight sensors. Three of them (1, 4, 8) are clean; five (0, 3, 5, 6, 7) belong to one unit that
stops from time to time. `feat_2` is noise. One value in ten is missing. The test table has a larger share of the last,
low-load hours than the training table. (Sources: `stefanasandei/roai-solved`,
`international-contests/neoai/2025`; `t1mt1/portfolio`, `ioai-tasks/tricy-table-data`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from neoai_utils.arrays import Float64, Integers
from neoai_utils.tabular import files

__all__ = ["Recipe", "build"]

# Hours since midnight of day 1 -> load: a plateau, a descent after hour 29, a dip at hour 40 and the final stop.
_LOAD = (
    (3.0, 655), (5.1, 640), (5.5, 722), (8.9, 718), (9.4, 662), (12.0, 680), (16.0, 702), (19.0, 715), (19.6, 742),
    (22.0, 752), (24.0, 765), (27.0, 778), (28.5, 792), (29.2, 785), (30.0, 735), (31.0, 670), (32.0, 640),
    (32.55, 610), (32.77, 502), (33.0, 425), (33.4, 402), (36.3, 388), (36.6, 362), (39.0, 356), (39.88, 355),
    (39.96, 268), (40.06, 262), (40.14, 325), (41.52, 315), (41.68, 240), (41.85, 200), (41.91, 140), (42.0, 137),
)  # fmt: skip
_LOADS = (120.0, 262.0, 380.0, 502.0, 670.0, 745.0, 790.0, 870.0)
_SENSORS = (  # readings of feat_0 … feat_8 at each of _LOADS; feat_2 is constant
    (240.0, 283.0, 322.0, 362.0, 437.0, 451.0, 471.0, 503.0),
    (1280.0, 1534.0, 1707.0, 1979.0, 2488.0, 2656.0, 2760.0, 2950.0),
    (20.45,) * 8,
    (71.0, 73.6, 77.0, 78.7, 83.0, 86.1, 87.0, 89.5),
    (2915.0, 2938.0, 2950.0, 2962.0, 2880.0, 2868.0, 2858.0, 2835.0),
    (34.0, 37.9, 41.3, 44.4, 49.3, 51.0, 52.4, 55.0),
    (1270.0, 1487.0, 1690.0, 1914.0, 2435.0, 2641.0, 2744.0, 2950.0),
    (1090.0, 1145.0, 1199.0, 1249.0, 1320.0, 1331.0, 1333.0, 1365.0),
    (500.0, 543.0, 637.0, 641.0, 647.0, 642.0, 653.0, 655.0),
)


@dataclass(frozen=True)
class Recipe:
    """Every constant of the generator. Times are in minutes, loads and sensors in the table's units.

    Attributes:
        seed: seed of the generator.
        version: raised when the code changes what a recipe means.
        start_hour: hour of day 1 at which the series starts.
        hours: length of the series.
        rows_per_hour: rows of both tables together.
        load: (hours since midnight of day 1, load) of a piecewise linear course.
        slow_load, fast_load: (AR(1) coefficient per minute, standard deviation at load 700) of two fluctuations
            around that course; they shrink in proportion to the load.
        target_noise: standard deviation of a row's target around the load of its minute.
        target_range: the target is clipped to it.
        loads, sensors: piecewise linear responses of the nine sensors to the load.
        sensor_noise: standard deviation of a row's reading.
        sensor_drift: standard deviation of a drift that the load does not explain.
        drift_memory: AR(1) coefficient of the drift per minute.
        stopped_unit: (sensor, reading) while the unit is stopped; the target is not affected.
        stops_per_hour, stop_spread: mean number of stops an hour, gamma distributed over hours with this shape.
        stop_rows: mean number of consecutive rows of a stop.
        test_share: (from this hour on, probability that a row goes to the test table).
        missing: share of values missing completely at random, in the order of `files.FEATURES`.
    """

    seed: int = 0
    version: int = 1
    start_hour: int = 3
    hours: int = 39
    rows_per_hour: int = 1491
    load: tuple[tuple[float, float], ...] = _LOAD
    slow_load: tuple[float, float] = (0.98, 8.0)
    fast_load: tuple[float, float] = (0.7, 2.0)
    target_noise: float = 1.2
    target_range: tuple[float, float] = (137.0, 865.0)
    loads: tuple[float, ...] = _LOADS
    sensors: tuple[tuple[float, ...], ...] = _SENSORS
    sensor_noise: tuple[float, ...] = (3.7, 15.5, 0.1565, 0.5, 17.4, 0.36, 20.0, 5.0, 3.6)
    sensor_drift: tuple[float, ...] = (3.7, 15.5, 0.0, 0.5, 22.0, 0.36, 20.0, 5.0, 3.6)
    drift_memory: float = 0.985
    stopped_unit: tuple[tuple[int, float], ...] = ((0, 105.0), (3, 61.0), (5, 25.0), (6, 0.0), (7, 0.0))
    stops_per_hour: float = 3.4
    stop_spread: float = 1.5
    stop_rows: float = 6.0
    test_share: tuple[tuple[int, float], ...] = ((0, 0.25), (30, 0.40), (34, 0.54))
    missing: tuple[float, ...] = (
        0.0888, 0.0855, 0.1101, 0.1126, 0.0885, 0.1137, 0.1082, 0.1165, 0.1056, 0.1143, 0.1050, 0.0867,
    )  # fmt: skip


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the three files of the competition and the hidden targets of the test table.

    Args:
        recipe: what to generate.
        data_dir: existing folder for `train_tables.csv`, `test_tables.csv`, `sample_submission.csv`.
        answers_dir: existing folder for `test_targets.csv`.

    Returns:
        `ceiling`: the metric of an oracle that knows the load of every row's minute, so that only the noise of
        the single row is left; `train_rows`, `test_rows`.
    """
    rng = np.random.default_rng(recipe.seed)
    table, load = _table(recipe, rng)
    hour = table["true_minute"].to_numpy() // 60
    in_test = rng.random(len(table)) < _step(recipe.test_share, hour)
    order = rng.permutation(len(table))
    train = table.iloc[order[~in_test[order]]].reset_index(drop=True)
    test = table.iloc[order[in_test[order]]].reset_index(drop=True)
    answers = test[["target"]].rename_axis("id").reset_index()
    train[[*files.FEATURES, "target"]].to_csv(data_dir / files.TRAIN, index=False)
    test[list(files.FEATURES)].assign(id=answers["id"]).to_csv(data_dir / files.TEST, index=False)
    answers.assign(target=0.0).to_csv(data_dir / files.SAMPLE, index=False)
    answers.to_csv(answers_dir / files.ANSWERS, index=False)
    oracle = answers.assign(target=load[test["true_minute"]])
    ceiling = files.grade(oracle, answers_dir)
    return {"ceiling": ceiling.score, "train_rows": len(train), "test_rows": len(test)}


def _table(recipe: Recipe, rng: np.random.Generator) -> tuple[pd.DataFrame, Float64]:
    """Return all rows in order of time (features, `target`, `true_minute`) and the load of every minute."""
    load = _load(recipe, rng)
    rows = recipe.rows_per_hour * recipe.hours
    minute = np.sort(rng.integers(0, len(load), rows))
    readings = _readings(recipe, load, minute, rng)
    _stop_the_unit(recipe, readings, rng)
    clock = minute + 60 * recipe.start_hour
    columns = [*readings.T, 1.0 + clock // 1440, clock // 60 % 24, clock % 60]
    table = pd.DataFrame(dict(zip(files.FEATURES, columns, strict=True)), dtype=np.float64)
    table = table.mask(rng.random(table.shape) < np.array(recipe.missing))
    target = np.clip(load[minute] + rng.normal(0, recipe.target_noise, rows), *recipe.target_range)
    return table.assign(target=target, true_minute=minute), load


def _load(recipe: Recipe, rng: np.random.Generator) -> Float64:
    """Return the load of every minute: the piecewise linear course plus a slow and a fast fluctuation."""
    hours, loads = np.array(recipe.load).T
    minutes = 60 * recipe.hours
    course = np.interp(recipe.start_hour + np.arange(minutes) / 60, hours, loads)
    slow, fast = (_ar1(rng, minutes, *part) for part in (recipe.slow_load, recipe.fast_load))
    return np.asarray(course + course / 700 * (slow + fast))


def _readings(recipe: Recipe, load: Float64, minute: Integers, rng: np.random.Generator) -> Float64:
    """Return the nine sensors of every row, shape (rows, 9): response to the load + drift + noise."""
    columns = []
    for response, drift, noise in zip(recipe.sensors, recipe.sensor_drift, recipe.sensor_noise, strict=True):
        mean = np.interp(load, recipe.loads, response) + _ar1(rng, len(load), recipe.drift_memory, drift)
        columns.append(mean[minute] + rng.normal(0, noise, len(minute)))
    return np.column_stack(columns)


def _stop_the_unit(recipe: Recipe, readings: Float64, rng: np.random.Generator) -> None:
    """Overwrite the unit's sensors in short runs of rows; the number of stops varies from hour to hour."""
    mean = recipe.stops_per_hour / recipe.stop_spread
    for hour in range(recipe.hours):
        for _ in range(rng.poisson(mean * rng.gamma(recipe.stop_spread))):
            first = recipe.rows_per_hour * hour + rng.integers(recipe.rows_per_hour)
            rows = slice(first, first + max(1, rng.poisson(recipe.stop_rows)))
            for sensor, reading in recipe.stopped_unit:
                readings[rows, sensor] = reading


def _ar1(rng: np.random.Generator, steps: int, memory: float, deviation: float) -> Float64:
    """Return a first-order autoregressive series that has `deviation` as its standard deviation."""
    shocks = rng.normal(0, deviation * np.sqrt(1 - memory**2), steps)
    return np.asarray(lfilter([1.0], [1.0, -memory], shocks))


def _step(steps: tuple[tuple[int, float], ...], hour: Integers) -> Float64:
    starts, values = zip(*steps, strict=True)
    return np.array(values)[np.searchsorted(starts, hour, side="right") - 1]
