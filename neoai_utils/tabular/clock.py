"""Time as one number, and its recovery where day, hour or minute are missing.

The series is slow and its sensors differ from minute to minute, so the readings of a row are a fingerprint of when it
was taken. This is the "radio map" of indoor positioning (Bahl and Padmanabhan, RADAR, 2000; the probabilistic form is
that of Roos et al., 2002) with minutes as places: rows with a full clock draw the map, and Bayes' rule then gives
every other row a probability for each minute that agrees with what is left of its clock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from neoai_utils.tabular.smoothing import robust_curve

__all__ = ["CLOCK", "TimeMap", "minutes_of"]

Floats = NDArray[np.float64]
CLOCK = ("day", "hour", "minute")


def minutes_of(table: pd.DataFrame) -> Floats:
    """Return minutes since midnight of day 1, shape (rows,); NaN where day, hour or minute is missing."""
    return np.asarray((table["day"] - 1) * 1440 + table["hour"] * 60 + table["minute"], dtype=np.float64)


@dataclass(frozen=True)
class TimeMap:
    """What each sensor shows in each minute, and how far one reading strays from that.

    Attributes:
        start: minutes since midnight of day 1 of the first minute.
        curves: (minutes, sensors) kernel means.
        noise: (sensors,) standard deviation of a reading.
        sensors: their column names.
    """

    start: int
    curves: Floats
    noise: Floats
    sensors: tuple[str, ...]

    @classmethod
    def fit(cls, table: pd.DataFrame, sensors: tuple[str, ...], width: float = 1.0) -> TimeMap:
        """Draw the map from the rows of `table` with a full clock; `width` is the kernel's, in minutes.

        Raises:
            ValueError: no row has a full clock.
        """
        clock = minutes_of(table)
        if not np.isfinite(clock).any():
            raise ValueError("no row has day, hour and minute; a time map needs some that do")
        start, end = int(np.nanmin(clock)), int(np.nanmax(clock))
        length = end - start + 1
        columns = [robust_curve(table[s].to_numpy(np.float64), clock - start, length, width) for s in sensors]
        curves, noise = zip(*columns, strict=True)
        return cls(start, np.column_stack(curves), np.array(noise), sensors)

    def locate(self, table: pd.DataFrame, cap: float = 8.0) -> csr_array:
        """Return the probability of each minute for each row, a sparse (rows, minutes) matrix with rows of sum 1.

        A row with a full clock has all of it in one minute. For the others a minute counts if it agrees with the
        known parts of the clock, in proportion to the Gaussian likelihood of the known readings. One sensor can speak
        against a minute with a log likelihood of at most `cap`, so that a stopped unit does not outvote the
        clean sensors.

        Raises:
            ValueError: a row's clock agrees with no minute of the map.
        """
        times = self.start + np.arange(len(self.curves))
        parts = np.column_stack([times // 1440 + 1, times // 60 % 24, times % 60]).astype(np.float64)
        clock = table[list(CLOCK)].to_numpy(np.float64)
        readings = table[list(self.sensors)].to_numpy(np.float64)
        rows, minutes, weights = [], [], []
        for members in pd.DataFrame(clock).groupby(list(range(3)), dropna=False).indices.values():
            key = clock[members[0]]
            known = ~np.isnan(key)
            fitting = np.flatnonzero((parts[:, known] == key[known]).all(axis=1))
            if not fitting.size:
                raise ValueError(f"row {members[0]}: no minute of the map has day, hour, minute = {key}")
            found = self._posterior(readings[members], fitting, cap)
            at = np.nonzero(found)
            rows.append(members[at[0]])
            minutes.append(fitting[at[1]])
            weights.append(found[at])
        triple = np.concatenate(weights), (np.concatenate(rows), np.concatenate(minutes))
        return csr_array(triple, shape=(len(table), len(times)))

    def features(self, where: csr_array) -> pd.DataFrame:
        """Return what is to be expected of each row, given the (rows, minutes) probabilities of `locate`.

        Columns: `time` (minutes since the map's first), and `<sensor>_curve` for the smoothed reading of each sensor.
        """
        expected = where @ np.column_stack([np.arange(len(self.curves)), self.curves])
        return pd.DataFrame(expected, columns=["time", *(f"{sensor}_curve" for sensor in self.sensors)])

    def _posterior(self, readings: Floats, minutes: NDArray[np.int64], cap: float) -> Floats:
        """Return (rows, minutes) probabilities under a flat prior; those below 1e-4 are cut to 0."""
        score = np.zeros((len(readings), len(minutes)))
        for sensor, noise in enumerate(self.noise):
            distance = (readings[:, sensor, None] - self.curves[minutes, sensor]) / noise
            score -= np.minimum(np.nan_to_num(distance**2 / 2), cap)
        weight = np.exp(score - score.max(axis=1, keepdims=True))
        weight[weight < 1e-4 * weight.sum(axis=1, keepdims=True)] = 0.0
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))
