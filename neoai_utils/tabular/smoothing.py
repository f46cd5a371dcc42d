"""Kernel smoothing of sensors along time, over the rows of both tables and without any target.

A slow machine changes little within a minute, so the mean of the rows of a minute, and of its neighbours under a
Gaussian kernel (Nadaraya 1964, Watson 1964), shows the machine's state with far less noise than one row, and it
exists for rows whose own reading is missing. Rows far from the median of their minute (a stopped unit, a hiccup) are
left out first, as in a Hampel filter.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from neoai_utils.errors import DataError

__all__ = ["explained_by_time", "kernel_curve", "robust_curve"]

Floats = NDArray[np.float64]
_FEWEST = 30  # readings that tell a course from chance


def kernel_curve(values: Floats, minute: Floats, length: int, width: float) -> Floats:
    """Return the kernel mean of `values` at each of `length` minutes.

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) whole minutes in 0..length-1; NaN where unknown. Such rows take no part.
        length: number of minutes.
        width: standard deviation of the Gaussian kernel in minutes; 0 takes each minute's own mean.

    Returns:
        (length,) curve; minutes out of the kernel's reach are interpolated linearly.

    Raises:
        DataError: no row has both a value and a minute.
    """
    use = np.isfinite(values) & np.isfinite(minute)
    if not use.any():
        raise DataError("a curve along time needs at least one row with both a value and a known minute.")
    at = minute[use].astype(np.int64)
    centre = values[use].mean()  # sums of deviations lose fewer digits than sums of readings
    sums = np.bincount(at, values[use] - centre, length)
    counts = np.bincount(at, minlength=length).astype(np.float64)
    if width > 0:
        sums, counts = (gaussian_filter1d(x, width, mode="constant", truncate=4.0) for x in (sums, counts))
    reached = np.flatnonzero(counts > 1e-9)
    return np.asarray(centre + np.interp(np.arange(length), reached, sums[reached] / counts[reached]))


def robust_curve(values: Floats, minute: Floats, length: int, width: float, cut: float = 4.0) -> tuple[Floats, float]:
    """Return the kernel curve of `values` without outliers, and the noise of one reading around it.

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) whole minutes in 0..length-1; NaN where unknown.
        length: number of minutes.
        width: standard deviation of the kernel in minutes, as in `kernel_curve`.
        cut: readings further than this many robust standard deviations from the median of their minute are left out.

    Returns:
        (length,) curve; the robust standard deviation (1.4826 times the median absolute deviation) of a reading, or
        the plain one where most readings lie on the curve.
    """
    offset = values - pd.Series(values).groupby(minute).transform("median").to_numpy()
    kept = np.where(np.abs(offset) <= cut * _robust_deviation(offset), values, np.nan)
    curve = kernel_curve(kept, minute, length, width)
    use = np.isfinite(values) & np.isfinite(minute)
    misses = values[use] - curve[minute[use].astype(np.int64)]
    return curve, _robust_deviation(misses) or float(misses.std())


def explained_by_time(values: Floats, minute: Floats) -> float:
    """Return the share of the variance of `values` that time explains (about 0 for pure noise, at most 1).

    It is the share that lies between minutes (the correlation ratio). What pure noise would show by chance is taken
    off (the adjusted form, epsilon squared of Kelley 1935). Where fewer than one row in ten shares its minute with
    another, nothing lies within minutes; there the correlation of each reading with the next one in time is returned
    (1 less half of von Neumann's ratio, 1941).

    Args:
        values: (rows,) readings; NaN where missing.
        minute: (rows,) times; NaN where unknown. Such rows take no part.

    Returns:
        The share; 0 for a constant, and where fewer than 30 readings have a time.
    """
    use = np.isfinite(values) & np.isfinite(minute)
    readings = pd.Series(values[use])
    if len(readings) < _FEWEST or readings.min() == readings.max():
        return 0.0
    freedom = len(readings) - len(np.unique(minute[use]))
    if freedom < len(readings) / 10:
        steps = np.diff(readings.to_numpy()[np.argsort(minute[use], kind="stable")])
        return float(1 - (steps**2).mean() / 2 / readings.var())
    within = readings - readings.groupby(minute[use]).transform("mean")
    return float(1 - (within**2).sum() / freedom / readings.var())


def _robust_deviation(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(known - np.median(known)))) if known.size else 0.0
