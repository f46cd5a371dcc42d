"""Random views of one photograph: turned, mirrored, cropped, in other light, blurred, with noise and a patch.

All geometry is one affine map, so the picture is interpolated once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neoai_utils.arrays import Float32, Float64

__all__ = ["Augmentation", "augmented"]


@dataclass(frozen=True)
class Augmentation:
    """The strengths of the random changes.

    Attributes:
        tilt: largest rotation on top of a random quarter turn, in degrees; corners from outside are black.
        crop: the largest share of the area that may be cut away.
        light: largest relative change of brightness, and of contrast.
        blur: largest standard deviation of the Gaussian blur, in pixels; half of the pictures are blurred.
        noise: standard deviation of the noise in grey levels; half of the pictures have it.
        patch: smallest and largest side of a square in one grey, in pixels.
        patched: share of the pictures that have one.
    """

    tilt: float
    crop: float
    light: float
    blur: float
    noise: float
    patch: tuple[int, int]
    patched: float


def augmented(photograph: Float32, side: int, strengths: Augmentation, rng: np.random.Generator) -> Float32:
    """Return one random view (side, side) float32 in 0..255 of a square grey photograph in 0..255."""
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = _placement(photograph.shape[0], side, strengths, rng)
    view = cv2.warpAffine(photograph, matrix, (side, side), flags=flags)
    view *= rng.uniform(1 - strengths.light, 1 + strengths.light)
    mean = view.mean()
    view = np.clip((view - mean) * rng.uniform(1 - strengths.light, 1 + strengths.light) + mean, 0, 255)
    if rng.random() < 0.5:
        view = cv2.GaussianBlur(view, (0, 0), rng.uniform(0.3, strengths.blur))
    if rng.random() < 0.5:
        view = view + rng.normal(0, strengths.noise, view.shape)
    if rng.random() < strengths.patched:
        width = int(rng.integers(*strengths.patch))
        row, column = rng.integers(0, side - width, 2)
        view[row : row + width, column : column + width] = rng.uniform(0, 255)
    clipped: Float32 = np.clip(view, 0, 255).astype(np.float32)
    return clipped


def _placement(photograph: int, side: int, strengths: Augmentation, rng: np.random.Generator) -> Float64:
    """Return the (2, 3) map from the view's pixels to the photograph's (x, y)."""
    angle = np.deg2rad(90 * rng.integers(4) + rng.uniform(-strengths.tilt, strengths.tilt))
    share = np.sqrt(rng.uniform(1 - strengths.crop, 1))  # of the photograph's side
    mirror = rng.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([mirror, 1.0]) * share * photograph / side
    centre = (photograph - 1) / 2 + rng.uniform(-1, 1, 2) * photograph * (1 - share) / 2
    middle = np.full(2, (side - 1) / 2)
    return np.column_stack([linear, centre - linear @ middle])
