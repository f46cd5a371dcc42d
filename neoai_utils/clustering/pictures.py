"""From factors to pictures, a batch at a time: products, normalised light, orientations."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neoai_utils.arrays import Float32, Picture

__all__ = ["BATCH", "batches", "factors_as_pictures", "framed", "normalised", "oriented", "scaled"]

BATCH = 8  # a network's first layers make 4 MB of numbers from each picture; eight of them stay in the cache
_FRAME = 8  # pixels
_MEAN, _STD = 0.45, 0.22  # of ImageNet's pixels, in units of white


def batches(left: Float32, right: Float32) -> Iterator[Float32]:
    """Yield the products (up to 8, height, width) of factors (n, height, rank) and (n, rank, width), in order."""
    for start in range(0, len(left), BATCH):
        yield left[start : start + BATCH] @ right[start : start + BATCH]


def factors_as_pictures(left: Float32, right: Float32) -> Iterator[Float32]:
    """Yield the factors themselves as pictures (up to 8, 64, 64), in order, for factors of 128 and rank 4.

    The eight profiles of a picture are side by side, each eight pixels wide. No real picture has this form; some
    participants passed the factors to a network in this way.
    """
    for start in range(0, len(left), BATCH):
        part = slice(start, start + BATCH)
        profiles = np.concatenate([left[part], right[part].swapaxes(1, 2)], axis=2)
        yield np.repeat(profiles[:, ::2], 8, axis=2)


def scaled(pictures: Float32) -> Float32:
    """Return pictures (n, height, width) of 0..255 in 0..1; values outside that range are clipped."""
    values: Float32 = np.clip(pictures / 255, 0, 1)
    return values


def normalised(pictures: Float32) -> Float32:
    """Return pictures (n, height, width) with the same mean and contrast in each, in units of white (not clipped)."""
    mean = pictures.mean(axis=(1, 2), keepdims=True)
    std = pictures.std(axis=(1, 2), keepdims=True)
    values: Float32 = (pictures - mean) / np.maximum(std, 1e-6) * np.float32(_STD) + np.float32(_MEAN)
    return values


def oriented(pictures: Float32, orientation: int) -> Float32:
    """Return square pictures (n, side, side) turned by `orientation` quarter turns; from 4 on mirrored as well."""
    mirrored = pictures[:, :, ::-1] if orientation >= 4 else pictures
    return np.ascontiguousarray(np.rot90(mirrored, orientation % 4, axes=(1, 2)))


def framed(picture: Float32, marked: bool) -> Picture:
    """Return a grey picture (height, width) of 0..255 in colour, in a frame: vermilion if it is marked, else grey."""
    colour = (213, 94, 0) if marked else (225, 225, 225)
    frame = np.full((picture.shape[0] + 2 * _FRAME, picture.shape[1] + 2 * _FRAME, 3), colour, dtype=np.uint8)
    frame[_FRAME:-_FRAME, _FRAME:-_FRAME] = np.clip(picture, 0, 255)[..., None]
    return frame
