"""One photograph seen in many ways: turned, mirrored, cropped, in other light, blurred, with noise and a patch.

All geometry is one affine map, so the picture is interpolated once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Family", "augmented"]

Picture = NDArray[np.float32]


@dataclass(frozen=True)
class Family:
    """How far the random changes go.

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


def augmented(photograph: Picture, side: int, family: Family, random: np.random.Generator) -> Picture:
    """Return one random view (side, side) float32 in 0..255 of a square grey photograph in 0..255."""
    import cv2

    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = _placement(photograph.shape[0], side, family, random)
    view = cv2.warpAffine(photograph, matrix, (side, side), flags=flags)
    view *= random.uniform(1 - family.light, 1 + family.light)
    mean = view.mean()
    view = np.clip((view - mean) * random.uniform(1 - family.light, 1 + family.light) + mean, 0, 255)
    if random.random() < 0.5:
        view = cv2.GaussianBlur(view, (0, 0), random.uniform(0.3, family.blur))
    if random.random() < 0.5:
        view = view + random.normal(0, family.noise, view.shape)
    if random.random() < family.patched:
        width = int(random.integers(*family.patch))
        row, column = random.integers(0, side - width, 2)
        view[row : row + width, column : column + width] = random.uniform(0, 255)
    found: Picture = np.clip(view, 0, 255).astype(np.float32)
    return found


def _placement(photograph: int, side: int, family: Family, random: np.random.Generator) -> NDArray[np.float64]:
    """Return the (2, 3) map from the view's pixels to the photograph's (x, y)."""
    angle = np.deg2rad(90 * random.integers(4) + random.uniform(-family.tilt, family.tilt))
    share = np.sqrt(random.uniform(1 - family.crop, 1))  # of the photograph's side
    mirror = random.choice((-1.0, 1.0))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn @ np.diag([mirror, 1.0]) * share * photograph / side
    centre = (photograph - 1) / 2 + random.uniform(-1, 1, 2) * photograph * (1 - share) / 2
    middle = np.full(2, (side - 1) / 2)
    return np.column_stack([linear, centre - linear @ middle])
