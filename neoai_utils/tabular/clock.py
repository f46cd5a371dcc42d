"""Time as one number, and its recovery where day, hour or minute are missing.

The series is slow and its sensors differ from minute to minute, so the readings of a row are a fingerprint of when it
was taken. This is the "radio map" of indoor positioning (Bahl and Padmanabhan, RADAR, 2000; the probabilistic form is
that of Roos et al., 2002) with minutes as places: rows with a full clock draw the map, and Bayes' rule then gives
every other row a probability for each minute that agrees with what is left of its clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from neoai_utils import errors
from neoai_utils.errors import DataError
from neoai_utils.tabular.smoothing import robust_curve

__all__ = ["CLOCK", "TimeMap", "minutes_of"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
_Found = tuple[Integers, Integers, Floats]  # rows, places, probabilities
CLOCK = ("day", "hour", "minute")
_REACH = 8  # places that a map has before and behind a long gap; the kernels of both sides end within them
_MOST = 10_000  # candidates of one row
_CELLS = 4_000_000  # of one dense block of rows and candidates


def minutes_of(table: pd.DataFrame) -> Floats:
    """Return minutes since midnight of day 1, shape (rows,); NaN where day, hour or minute is missing."""
    return np.asarray((table["day"] - 1) * 1440 + table["hour"] * 60 + table["minute"], dtype=np.float64)


@dataclass(frozen=True)
class TimeMap:
    """What each sensor shows at each time, and how far one reading strays from that.

    The places of the map are the minutes from the first to the last; in hourly data, the hours. In general they are one
    step apart, the greatest that divides all distances between the rows. Of a gap of many steps only the edges are
    kept, so that a map never has more than a few places for each row.

    Attributes:
        times: (places,) minutes since midnight of day 1, ascending.
        curves: (places, sensors) kernel means.
        noise: (sensors,) standard deviation of a reading, never 0.
        sensors: their column names; there may be none.
    """

    times: Integers
    curves: Floats
    noise: Floats
    sensors: tuple[str, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, sensors: tuple[str, ...], width: float = 1.0) -> TimeMap:
        """Draw the map from the rows of `table` with a full clock; `width` is the kernel's, in steps of the map.

        Raises:
            DataError: no row has a full clock.
        """
        clock = minutes_of(table)
        known = np.isfinite(clock)
        if not known.any():
            raise DataError("no row has day, hour and minute; a time map needs some that do.")
        times = _places(np.unique(clock[known].astype(np.int64)))
        at = np.where(known, np.searchsorted(times, np.where(known, clock, times[0])), np.nan)
        curves, noise = np.empty((len(times), len(sensors))), np.empty(len(sensors))
        for column, sensor in enumerate(sensors):
            values = table[sensor].to_numpy(np.float64)
            curves[:, column], noise[column] = robust_curve(values, at, len(times), width)
        return cls(times, curves, np.where(noise > 0, noise, 1.0), sensors)

    @property
    def start(self) -> int:
        """The first time, in minutes since midnight of day 1."""
        return int(self.times[0])

    def locate(self, table: pd.DataFrame, cap: float = 8.0) -> csr_array:
        """Return the probability of each place for each row, a sparse (rows, places) matrix with rows of sum 1.

        A row with a full clock has all of it in one place. For the others a place counts if it agrees with the
        known parts of the clock, in proportion to the Gaussian likelihood of the known readings. One sensor can speak
        against a place with a log likelihood of at most `cap`, so that a stopped unit does not outvote the
        clean sensors.

        A row whose clock agrees with no place is put at the nearest one to what is known of it (where the day is
        missing, any place counts), and a warning tells how many there are.
        """
        clock = table[list(CLOCK)].to_numpy(np.float64)
        readings = table[list(self.sensors)].to_numpy(np.float64)
        found: list[_Found] = []
        lost = 0
        for members, fitting in _candidates(clock, self.times):
            lost += 0 if fitting.size else len(members)
            places = fitting if fitting.size else self._nearest(clock[members[0]])
            found += self._blocks(readings, members, places, cap)
        if lost:
            errors.warn(
                f"the time map has no place for the clock of {lost} of {len(table)} rows; they are put at the nearest."
            )
        rows, places, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return csr_array((weights, (rows, places)), shape=(len(table), len(self.times)))

    def features(self, where: csr_array) -> pd.DataFrame:
        """Return what is to be expected of each row, given the (rows, places) probabilities of `locate`.

        Columns: `time` (minutes since the map's first), and `<sensor>_curve` for the smoothed reading of each sensor.
        """
        expected = where @ np.column_stack([self.times - self.start, self.curves])
        return pd.DataFrame(expected, columns=["time", *(f"{sensor}_curve" for sensor in self.sensors)])

    def _nearest(self, clock: Floats) -> Integers:
        """Return the place that is nearest to the middle of what is known of a clock; all where the day is missing."""
        if np.isnan(clock[0]):
            return np.arange(len(self.times))
        middle = (clock[0] - 1) * 1440 + np.nan_to_num(clock[1], nan=11.5) * 60 + np.nan_to_num(clock[2], nan=29.5)
        return np.array([np.abs(self.times - middle).argmin()])

    def _blocks(self, readings: Floats, members: Integers, places: Integers, cap: float) -> list[_Found]:
        """Return (rows, places, probabilities) of the rows `members`, in blocks that fit into memory."""
        if len(places) == 1:
            return [(members, np.repeat(places, len(members)), np.ones(len(members)))]
        blocks = []
        for part in np.array_split(members, -(-len(members) * len(places) // _CELLS)):
            chances = self._posterior(readings[part], places, cap)
            at = np.nonzero(chances)
            blocks.append((part[at[0]], places[at[1]], chances[at]))
        return blocks

    def _posterior(self, readings: Floats, places: Integers, cap: float) -> Floats:
        """Return (rows, places) probabilities under a flat prior; those below 1e-4 are cut to 0.

        Where all are below, as in a flat course of years, places at equal distances stand for the others.
        """
        score = np.zeros((len(readings), len(places)))
        for sensor, noise in enumerate(self.noise):
            distance = (readings[:, sensor, None] - self.curves[places, sensor]) / noise
            score -= np.minimum(np.nan_to_num(distance**2 / 2), cap)
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        weight[weight < np.minimum(1e-4 * weight.sum(axis=1, keepdims=True), 1.0)] = 0.0
        for row in np.flatnonzero(np.count_nonzero(weight, axis=1) > _MOST):
            kept = np.flatnonzero(weight[row])
            weight[row, np.delete(kept, slice(None, None, -(-len(kept) // _MOST)))] = 0.0
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def _places(occupied: Integers) -> Integers:
    """Return the places of a map whose rows stand at the ascending times `occupied`."""
    gaps = np.diff(occupied)
    step = int(np.gcd.reduce(gaps)) if gaps.size else 1
    long = np.flatnonzero(gaps > (2 * _REACH + 1) * step)
    starts = np.concatenate([occupied[:1], occupied[long + 1] - _REACH * step])
    ends = np.concatenate([occupied[long] + _REACH * step, occupied[-1:]])
    return np.concatenate([np.arange(a, b + 1, step) for a, b in zip(starts, ends, strict=True)])


def _candidates(clock: Floats, times: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Yield groups of rows with the same known parts of the clock, and the places that agree with them.

    Args:
        clock: (rows, 3) day, hour, minute; NaN where missing.
        times: (places,) minutes since midnight of day 1.
    """
    parts = np.column_stack([times // 1440 + 1, times // 60 % 24, times % 60])
    radix = np.array([10_000, 100, 1])
    missing = np.isnan(clock)
    pattern = missing @ np.array([4, 2, 1])
    for kind in np.unique(pattern):
        rows = np.flatnonzero(pattern == kind)
        digits = np.where(missing[rows[0]], 0, radix)
        places = _groups(parts @ digits)
        codes = np.nan_to_num(clock[rows]).astype(np.int64) @ digits
        for code, members in _groups(codes).items():
            yield rows[members], places.get(code, np.empty(0, np.int64))


def _groups(codes: Integers) -> dict[int, Integers]:
    """Return for each code, ascending, the positions where it stands."""
    return cast(dict[int, Integers], pd.Series(codes).groupby(codes).indices)
