"""From factors to pictures, a batch at a time: products, their light evened out, their eight orientations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["BATCH", "ORIENTATIONS", "batches", "even", "framed", "scaled", "stretched", "turned"]

ORIENTATIONS = range(8)
"""The ways to lay a square picture: four quarter turns, each with and without a mirror."""

BATCH = 8  # a network's first layers make 4 MB of numbers from each picture; eight of them stay near the processor
_FRAME = 8  # pixels
_MIDDLE, _SPREAD = 0.45, 0.22  # ImageNet's own mean and standard deviation, in units of white

Array = NDArray[np.float32]


def batches(left: Array, right: Array, size: int = BATCH) -> Iterator[Array]:
    """Yield the products (up to `size`, height, width) of factors (n, height, rank) and (n, rank, width), in order."""
    for start in range(0, len(left), size):
        yield left[start : start + size] @ right[start : start + size]


def stretched(left: Array, right: Array, size: int = BATCH) -> Iterator[Array]:
    """Yield the factors themselves as pictures (up to `size`, 64, 64), in order, for factors of 128 and rank 4.

    The eight profiles of a picture stand side by side, each eight pixels wide. No picture looks like this, but it is
    what some took the factors for.
    """
    for start in range(0, len(left), size):
        part = slice(start, start + size)
        profiles = np.concatenate([left[part], right[part].swapaxes(1, 2)], axis=2)
        yield np.repeat(profiles[:, ::2], 8, axis=2)


def scaled(pictures: Array) -> Array:
    """Return pictures of 0..255 in 0..1; what a factorisation let overshoot is cut."""
    found: Array = np.clip(pictures / 255, 0, 1)
    return found


def even(pictures: Array) -> Array:
    """Return pictures (n, height, width) with the same mean and contrast in each, in units of white (uncut)."""
    mean = pictures.mean(axis=(1, 2), keepdims=True)
    spread = pictures.std(axis=(1, 2), keepdims=True)
    found: Array = (pictures - mean) / np.maximum(spread, 1e-6) * np.float32(_SPREAD) + np.float32(_MIDDLE)
    return found


def framed(picture: Array, marked: bool) -> NDArray[np.uint8]:
    """Return a grey picture (height, width) of 0..255 in colour, in a frame: vermilion if it is marked, else grey."""
    colour = (213, 94, 0) if marked else (225, 225, 225)
    frame = np.full((picture.shape[0] + 2 * _FRAME, picture.shape[1] + 2 * _FRAME, 3), colour, dtype=np.uint8)
    frame[_FRAME:-_FRAME, _FRAME:-_FRAME] = np.clip(picture, 0, 255)[..., None]
    return frame


def turned(pictures: Array, orientation: int) -> Array:
    """Return square pictures (n, side, side) in one of the `ORIENTATIONS` (0 leaves them alone)."""
    mirrored = pictures[:, :, ::-1] if orientation >= 4 else pictures
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4, axes=(1, 2)))
