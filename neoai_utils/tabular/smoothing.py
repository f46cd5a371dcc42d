"""Kernel smoothing of sensors along time, over the rows of both tables and without any target.

A slow machine changes little within a minute. The mean of the rows of a minute and of its neighbours under a Gaussian
kernel (Nadaraya 1964, Watson 1964) therefore shows the machine's state with far less noise than one row, and it exists
for rows whose own reading is missing. Outliers are left out first, as in a Hampel filter: readings far from the median
of their minute, for example while a unit is stopped.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d

from neoai_utils.arrays import Float64
from neoai_utils.errors import DataError

__all__ = ["explained_by_time", "explains_target", "kernel_curve", "robust_curve"]

_MIN_READINGS = 30  # with fewer, a share of explained variance is chance
_MAX_DEVIATIONS = 4.0  # robust standard deviations from the median of the minute; readings beyond are outliers


def kernel_curve(values: Float64, minute: Float64, length: int, width: float) -> Float64:
    """Return the kernel mean of some readings at each minute.

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) whole minutes in 0..length-1; NaN where unknown. Such rows are left out.
        length: number of minutes.
        width: standard deviation of the Gaussian kernel in minutes; 0 takes the mean of each minute alone.

    Returns:
        (length,) curve; minutes out of the kernel's reach are interpolated linearly.

    Raises:
        DataError: no row has both a value and a minute.
    """
    use = np.isfinite(values) & np.isfinite(minute)
    if not use.any():
        raise DataError("a curve along time needs at least one row with both a value and a known minute.")
    index = minute[use].astype(np.int64)
    centre = values[use].mean()  # sums of deviations lose fewer digits than sums of readings
    sums = np.bincount(index, values[use] - centre, length)
    counts = np.bincount(index, minlength=length).astype(np.float64)
    if width > 0:
        sums, counts = (gaussian_filter1d(x, width, mode="constant", truncate=4.0) for x in (sums, counts))
    reached = np.flatnonzero(counts > 1e-9)
    return np.asarray(centre + np.interp(np.arange(length), reached, sums[reached] / counts[reached]))


def robust_curve(values: Float64, minute: Float64, length: int, width: float) -> tuple[Float64, float]:
    """Return the kernel curve of some readings without outliers, and the noise of one reading around it.

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) whole minutes in 0..length-1; NaN where unknown.
        length: number of minutes.
        width: standard deviation of the kernel in minutes, as in `kernel_curve`.

    Returns:
        (length,) curve; the robust standard deviation (1.4826 times the median absolute deviation) of a reading, or
        the plain one where most readings lie on the curve.

    Raises:
        DataError: no row has both a value and a minute.
    """
    offset = values - pd.Series(values).groupby(minute).transform("median").to_numpy()
    kept = np.where(np.abs(offset) <= _MAX_DEVIATIONS * _robust_deviation(offset), values, np.nan)
    curve = kernel_curve(kept, minute, length, width)
    use = np.isfinite(values) & np.isfinite(minute)
    residuals = values[use] - curve[minute[use].astype(np.int64)]
    return curve, _robust_deviation(residuals) or float(residuals.std())


def explained_by_time(values: Float64, minute: Float64) -> float:
    """Return the share of the variance of some readings that time explains (about 0 for pure noise, at most 1).

    It is the share of the variance between minutes (the correlation ratio), less what pure noise would show by chance
    (the adjusted form, epsilon squared of Kelley 1935). Where fewer than one row in ten shares its minute with
    another, there is no variance within minutes. The correlation of each reading with the next one in time is
    returned instead (1 less half of von Neumann's ratio, 1941).

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) times; NaN where unknown. Such rows are left out.

    Returns:
        The share; 0 for a constant, and where fewer than 30 readings have a time.
    """
    use = np.isfinite(values) & np.isfinite(minute)
    readings = pd.Series(values[use])
    if len(readings) < _MIN_READINGS or readings.min() == readings.max():
        return 0.0
    freedom = len(readings) - len(np.unique(minute[use]))
    if freedom < len(readings) / 10:
        steps = np.diff(readings.to_numpy()[np.argsort(minute[use], kind="stable")])
        return float(1 - (steps**2).mean() / 2 / readings.var())
    within = readings - readings.groupby(minute[use]).transform("mean")
    return float(1 - (within**2).sum() / freedom / readings.var())


def explains_target(readings: Float64, target: Float64) -> float:
    """Return the share of the target's variance between twentieths of a sensor's readings, adjusted for chance.

    A sensor may say nothing about time and still something about the target of its row.

    Args:
        readings: (rows,) NaN where missing. Such rows are left out.
        target: (rows,) the target.

    Returns:
        The share, about 0 for pure noise and at most 1; see `explained_by_time`.
    """
    return explained_by_time(target, np.ceil(20 * pd.Series(readings).rank(pct=True).to_numpy()))


def _robust_deviation(values: Float64) -> float:
    finite = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(finite - np.median(finite)))) if finite.size else 0.0
