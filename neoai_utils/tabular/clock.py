"""Time as one number, and its recovery where day, hour or minute are missing.

The series is slow and its sensors differ from minute to minute, so the readings of a row are a fingerprint of its
time. The method is the "radio map" of indoor positioning (Bahl and Padmanabhan, RADAR, 2000; in its probabilistic form
Roos et al., 2002) with times in the place of locations. The map is fitted to rows with a complete clock. Bayes' rule
then gives every other row a probability for each time that agrees with the known parts of its clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from neoai_utils import errors
from neoai_utils.arrays import Float64, Integers
from neoai_utils.errors import DataError
from neoai_utils.tabular.smoothing import robust_curve

__all__ = ["CLOCK", "TimeMap", "minutes_of"]

_Block = tuple[Integers, Integers, Float64]  # rows, time indices, probabilities
CLOCK = ("day", "hour", "minute")
"""The columns of the clock."""

_REACH = 8  # time points kept at both ends of a long gap; the smoothing kernels end within them
_MOST_CANDIDATES = 10_000  # of one row
_BLOCK_SIZE = 4_000_000  # rows times candidates of one dense block


def minutes_of(table: pd.DataFrame) -> Float64:
    """Return minutes since midnight of day 1, shape (rows,); NaN where day, hour or minute is missing."""
    return np.asarray((table["day"] - 1) * 1440 + table["hour"] * 60 + table["minute"], dtype=np.float64)


@dataclass(frozen=True)
class TimeMap:
    """The expected reading of each sensor at each time, and the noise of one reading.

    The time points are the minutes from the first to the last; in hourly data, the hours. In general they are one
    step apart, the greatest common divisor of all distances between the rows. Of a gap of many steps only the two
    ends are kept, so a map never has more than a few time points per row.

    Attributes:
        times: (times,) minutes since midnight of day 1, ascending.
        curves: (times, sensors) kernel means.
        noise: (sensors,) standard deviation of a reading, never 0.
        sensors: column names of the sensors; may be empty.
    """

    times: Integers
    curves: Float64
    noise: Float64
    sensors: tuple[str, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, sensors: tuple[str, ...], width: float = 1.0) -> TimeMap:
        """Fit the map to the rows of a table that have a complete clock.

        Args:
            table: (rows, features) with the sensors and the clock; NaN where missing.
            sensors: column names of the sensors.
            width: standard deviation of the smoothing kernel in steps of the map.

        Raises:
            DataError: no row has a complete clock.
        """
        clock = minutes_of(table)
        complete = np.isfinite(clock)
        if not complete.any():
            raise DataError("no row has day, hour and minute; a time map needs some that do.")
        times = _time_points(np.unique(clock[complete].astype(np.int64)))
        indices = np.where(complete, np.searchsorted(times, np.where(complete, clock, times[0])), np.nan)
        curves, noise = np.empty((len(times), len(sensors))), np.empty(len(sensors))
        for column, sensor in enumerate(sensors):
            values = table[sensor].to_numpy(np.float64)
            curves[:, column], noise[column] = robust_curve(values, indices, len(times), width)
        return cls(times, curves, np.where(noise > 0, noise, 1.0), sensors)

    @property
    def start(self) -> int:
        """The first time, in minutes since midnight of day 1."""
        return int(self.times[0])

    def locate(self, table: pd.DataFrame, cap: float = 8.0) -> csr_array:
        """Return the probability of each time for each row, a sparse (rows, times) matrix with rows of sum 1.

        A row with a complete clock has probability 1 at its time. For other rows, a time counts if it agrees with the
        known parts of the clock, in proportion to the Gaussian likelihood of the known readings.

        A row whose clock agrees with no time is assigned to the nearest one (where the day is missing, to all), and a
        warning states the number of such rows.

        Args:
            table: (rows, features) with the sensors and the clock; NaN where missing.
            cap: limit of the negative log-likelihood that one sensor can add, so that a stopped unit does not outvote
                the other sensors.
        """
        clock = table[list(CLOCK)].to_numpy(np.float64)
        readings = table[list(self.sensors)].to_numpy(np.float64)
        blocks: list[_Block] = []
        unmatched = 0
        for rows, candidates in _candidates(clock, self.times):
            unmatched += 0 if candidates.size else len(rows)
            indices = candidates if candidates.size else self._nearest(clock[rows[0]])
            blocks += self._blocks(readings, rows, indices, cap)
        if unmatched:
            errors.warn(
                f"the time map has no time for the clock of {unmatched} of {len(table)} rows; the nearest one is taken."
            )
        rows, indices, probabilities = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return csr_array((probabilities, (rows, indices)), shape=(len(table), len(self.times)))

    def features(self, probabilities: csr_array) -> pd.DataFrame:
        """Return the expected time and the expected readings of each row.

        Args:
            probabilities: (rows, times), as `locate` returns them.

        Returns:
            (rows, 1 + sensors) float64: `time` in minutes since the map's first time, and `<sensor>_curve` with the
            smoothed reading of each sensor.
        """
        expected = probabilities @ np.column_stack([self.times - self.start, self.curves])
        return pd.DataFrame(expected, columns=["time", *(f"{sensor}_curve" for sensor in self.sensors)])

    def _nearest(self, clock: Float64) -> Integers:
        """Return the index of the time nearest to a partly missing clock (3,); all indices where the day is missing."""
        if np.isnan(clock[0]):
            return np.arange(len(self.times))
        middle = (clock[0] - 1) * 1440 + np.nan_to_num(clock[1], nan=11.5) * 60 + np.nan_to_num(clock[2], nan=29.5)
        return np.array([np.abs(self.times - middle).argmin()])

    def _blocks(self, readings: Float64, rows: Integers, indices: Integers, cap: float) -> list[_Block]:
        """Return rows, time indices and probabilities of some rows, in blocks that fit into memory."""
        if len(indices) == 1:
            return [(rows, np.repeat(indices, len(rows)), np.ones(len(rows)))]
        blocks = []
        for part in np.array_split(rows, -(-len(rows) * len(indices) // _BLOCK_SIZE)):
            posterior = self._posterior(readings[part], indices, cap)
            row, column = np.nonzero(posterior)
            blocks.append((part[row], indices[column], posterior[row, column]))
        return blocks

    def _posterior(self, readings: Float64, indices: Integers, cap: float) -> Float64:
        """Return (rows, candidates) probabilities under a flat prior; those below 1e-4 are set to 0.

        Where all are below, as in a flat curve over years, equally spaced candidates are kept.
        """
        score = np.zeros((len(readings), len(indices)))
        for sensor, noise in enumerate(self.noise):
            distance = (readings[:, sensor, None] - self.curves[indices, sensor]) / noise
            score -= np.minimum(np.nan_to_num(distance**2 / 2), cap)
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        weight[weight < np.minimum(1e-4 * weight.sum(axis=1, keepdims=True), 1.0)] = 0.0
        for row in np.flatnonzero(np.count_nonzero(weight, axis=1) > _MOST_CANDIDATES):
            kept = np.flatnonzero(weight[row])
            weight[row, np.delete(kept, slice(None, None, -(-len(kept) // _MOST_CANDIDATES)))] = 0.0
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _time_points(occupied: Integers) -> Integers:
    """Return the time points of a map, (times,), for rows at the ascending times `occupied`."""
    gaps = np.diff(occupied)
    step = int(np.gcd.reduce(gaps)) if gaps.size else 1
    long = np.flatnonzero(gaps > (2 * _REACH + 1) * step)
    starts = np.concatenate([occupied[:1], occupied[long + 1] - _REACH * step])
    ends = np.concatenate([occupied[long] + _REACH * step, occupied[-1:]])
    return np.concatenate([np.arange(a, b + 1, step) for a, b in zip(starts, ends, strict=True)])


def _candidates(clock: Float64, times: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Yield groups of rows with the same known parts of the clock, and the indices of the times that agree with them.

    Args:
        clock: (rows, 3) day, hour, minute; NaN where missing.
        times: (times,) minutes since midnight of day 1.
    """
    parts = np.column_stack([times // 1440 + 1, times // 60 % 24, times % 60])
    radix = np.array([10_000, 100, 1])
    missing = np.isnan(clock)
    pattern = missing @ np.array([4, 2, 1])
    for kind in np.unique(pattern):
        rows = np.flatnonzero(pattern == kind)
        digits = np.where(missing[rows[0]], 0, radix)
        indices = _groups(parts @ digits)
        codes = np.nan_to_num(clock[rows]).astype(np.int64) @ digits
        for code, members in _groups(codes).items():
            yield rows[members], indices.get(code, np.empty(0, np.int64))


def _groups(codes: Integers) -> dict[int, Integers]:
    """Return for each code, ascending, the indices at which it occurs."""
    return cast(dict[int, Integers], pd.Series(codes).groupby(codes).indices)
