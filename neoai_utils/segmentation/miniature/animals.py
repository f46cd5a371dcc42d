"""Cats and dogs: their poses as blobs, and how one is painted into a picture.

Lengths inside an animal are in units of its size; `_Placement` turns them into pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.segmentation.miniature.coats import Breed, coat
from neoai_utils.segmentation.miniature.solids import (
    Blob,
    Colour,
    Light,
    make_solid,
    paint_dab,
    paint_shadow,
    paint_solid,
    shifted,
    window_of,
)  # fmt: skip

__all__ = ["POSES", "paint_animal"]

Head = tuple[float, float, float, float]
"""Centre (x, y), radius, and how far the face is turned, -1 to 1."""


def _head(breed: Breed, x: float, y: float, r: float, turn: float, *, z: float) -> list[Blob]:
    """Return a head of radius r at (x, y) that faces the viewer, the face shifted sideways by `turn` (-1..1)."""
    blobs = [
        Blob(x - 0.3 * r, y + 0.05 * r, 0.8 * r, x + 0.3 * r, y + 0.05 * r, 0.8 * r, z, "head"),
        Blob(x, y - 0.25 * r, 0.75 * r, x, y + 0.1 * r, 0.8 * r, z, "head"),
    ]
    shift = 0.3 * turn * r
    for side in (-1.0, 1.0):
        if breed.ears == "prick":
            ax, ay, tx, ty = x + side * 0.62 * r, y - 0.5 * r, x + side * 0.88 * r, y - 1.32 * r
            blobs.append(Blob(ax, ay, 0.4 * r, tx, ty, 0.05 * r, z + 0.1 * r, "ear"))
            blobs.append(
                Blob(ax, ay - 0.1 * r, 0.22 * r, tx - side * 0.04 * r, ty + 0.2 * r, 0.03 * r, z + 0.4 * r, "inner")
            )
        else:
            ax, ay = x + side * 0.78 * r, y - 0.55 * r
            blobs.append(Blob(ax, ay, 0.24 * r, x + side * 1.12 * r, y + 0.45 * r, 0.34 * r, z + 0.45 * r, "ear"))
    if breed.animal == "cat":
        for side in (-1.0, 1.0):
            mx = x + shift + side * 0.18 * r
            blobs.append(
                Blob(mx, y + 0.4 * r, 0.24 * r, mx + side * 0.06 * r, y + 0.42 * r, 0.22 * r, z + 0.75 * r, "muzzle")
            )
    else:
        long = 0.55 if breed.pattern == "points" else 0.75
        blobs.append(
            Blob(x + shift, y + 0.2 * r, 0.36 * r, x + 1.4 * shift, y + long * r, 0.4 * r, z + 0.85 * r, "muzzle")
        )
    return blobs


def _standing(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], Head]:
    long = 0.62 if breed.animal == "dog" else 0.48
    swing = rng.uniform(-0.12, 0.12, 4)
    blobs = [Blob(-0.62, 0.0, 0.33, 0.55, -0.04, 0.36, 0.0, "body")]
    for x, z, move in ((-0.6, -0.2, swing[0]), (0.5, -0.2, swing[1]), (-0.74, 0.12, swing[2]), (0.62, 0.12, swing[3])):
        blobs.append(Blob(x, 0.1, 0.19, x + move, 0.3 + long * 0.6, 0.12, z, "leg"))
        blobs.append(Blob(x + move, 0.3 + long * 0.6, 0.12, x + 0.06 + move, 0.32 + long, 0.12, z, "paw"))
    blobs.append(Blob(0.62, -0.05, 0.26, 0.7, 0.12, 0.2, 0.18, "chest"))
    lift = rng.uniform(-0.9, -0.3)
    blobs.append(Blob(-0.85, -0.1, 0.12, -1.25, lift, 0.09, -0.1, "tail"))
    blobs.append(Blob(-1.25, lift, 0.09, -1.22 + rng.uniform(-0.2, 0.25), lift - 0.35, 0.07, -0.1, "tailtip"))
    head = (0.95, -0.55 + rng.uniform(-0.12, 0.25), 0.42, rng.uniform(0.2, 1.0))
    blobs.append(Blob(0.55, -0.12, 0.3, head[0] - 0.1, head[1] + 0.1, 0.3, 0.1, "body"))
    return blobs, head


def _sitting(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], Head]:
    lean = rng.uniform(-0.1, 0.1)
    blobs = [
        Blob(0.0, 0.45, 0.52, lean, -0.3, 0.33, 0.0, "body"),
        Blob(lean, -0.15, 0.24, 0.0, 0.3, 0.2, 0.22, "chest"),
    ]
    for side in (-1.0, 1.0):
        blobs.append(Blob(side * 0.45, 0.62, 0.26, side * 0.5, 0.7, 0.24, 0.1, "leg"))
        blobs.append(Blob(side * 0.5, 0.9, 0.12, side * 0.62, 0.92, 0.11, 0.3, "paw"))
        blobs.append(Blob(side * 0.17, 0.1, 0.16, side * 0.18, 0.78, 0.12, 0.38, "leg"))
        blobs.append(Blob(side * 0.18, 0.86, 0.13, side * 0.2, 0.9, 0.13, 0.42, "paw"))
    side = 1.0 if rng.random() < 0.5 else -1.0
    end = (side * rng.uniform(0.85, 1.15), rng.uniform(0.1, 0.8))
    blobs.append(Blob(side * 0.4, 0.85, 0.12, side * 0.85, 0.85, 0.1, -0.1, "tail"))
    blobs.append(Blob(side * 0.85, 0.85, 0.1, end[0], end[1], 0.07, -0.1, "tailtip"))
    return blobs, (lean, -0.78, 0.46, rng.uniform(-0.7, 0.7))


def _lying(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], Head]:
    blobs = [
        Blob(-0.65, 0.12, 0.42, 0.45, 0.14, 0.36, 0.0, "body"),
        Blob(-0.72, 0.3, 0.28, -0.4, 0.36, 0.22, 0.25, "leg"),
        Blob(-0.4, 0.46, 0.1, -0.12, 0.47, 0.1, 0.4, "paw"),
        Blob(0.5, 0.2, 0.2, 0.66, 0.3, 0.16, 0.2, "chest"),
        Blob(0.5, 0.42, 0.12, 1.0, 0.44, 0.1, 0.3, "leg"),
        Blob(1.0, 0.44, 0.1, 1.14, 0.45, 0.11, 0.32, "paw"),
        Blob(-1.0, 0.3, 0.12, -1.3, 0.44, 0.1, 0.1, "tail"),
        Blob(-1.3, 0.44, 0.1, -1.3 + rng.uniform(-0.3, 0.5), 0.5, 0.08, 0.3, "tailtip"),
    ]
    return blobs, (0.72, -0.2 + rng.uniform(-0.1, 0.12), 0.42, rng.uniform(-0.3, 1.0))


def _portrait(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], Head]:
    lean = rng.uniform(-0.15, 0.15)
    blobs = [
        Blob(lean * 2, 1.25, 0.85, lean, 0.4, 0.5, -0.2, "body"),
        Blob(lean, 0.5, 0.36, lean * 2, 1.2, 0.5, 0.15, "chest"),
    ]
    return blobs, (0.0, -0.15, 0.72, rng.uniform(-0.8, 0.8))


_POSE = {"standing": _standing, "sitting": _sitting, "lying": _lying, "portrait": _portrait}
POSES: tuple[str, ...] = tuple(_POSE)
_REACH = {"standing": (1.35, 1.25), "sitting": (1.0, 1.3), "lying": (1.35, 0.75), "portrait": (1.05, 1.1)}


@dataclass(frozen=True)
class _Placement:
    """How units of an animal become pixels: mirror, rotation, scale, shift.

    Attributes:
        x: column of its centre.
        y: row of its centre.
        scale: pixels of a unit.
        mirror: 1, or -1 for the mirror image.
        angle: of rotation, in radians.
    """

    x: float
    y: float
    scale: float
    mirror: float
    angle: float

    def blob(self, blob: Blob) -> Blob:
        ax, ay = self.point(blob.ax, blob.ay)
        bx, by = self.point(blob.bx, blob.by)
        return replace(
            blob, ax=ax, ay=ay, bx=bx, by=by,
            ra=blob.ra * self.scale, rb=blob.rb * self.scale, z=blob.z * self.scale,
        )  # fmt: skip

    def point(self, x: float, y: float) -> tuple[float, float]:
        x *= self.mirror
        c, s = np.cos(self.angle), np.sin(self.angle)
        return self.x + self.scale * (c * x - s * y), self.y + self.scale * (s * x + c * y)


def _face(picture: Float32, breed: Breed, head: Head, placement: _Placement, soft: float) -> None:
    """Paint eyes, nose, mouth, whiskers or tongue with the opacity `soft`."""
    hx, hy, r, turn = head
    shift = 0.3 * turn * r

    def dab(  # noqa: PLR0917 (a list of dabs reads best as a table)
        x: float, y: float, ra: float, x2: float, y2: float, rb: float, colour: Colour, strength: float = 1.0
    ) -> None:
        blob = placement.blob(Blob(hx + shift + x * r, hy + y * r, ra * r, hx + shift + x2 * r, hy + y2 * r, rb * r))
        paint_dab(picture, blob, colour, strength * soft)

    cat = breed.animal == "cat"
    dark: Colour = (24, 20, 22)
    for side in (-1.0, 1.0):
        x, y = side * 0.36, -0.1 if cat else -0.16
        dab(x, y, 0.2 if cat else 0.15, x, y, 0.2 if cat else 0.15, dark)
        dab(x, y, 0.16 if cat else 0.11, x, y, 0.16 if cat else 0.11, breed.eyes)
        dab(x, y - 0.07, 0.055 if cat else 0.07, x, y + 0.07, 0.055 if cat else 0.07, dark)
        dab(x - 0.05, y - 0.06, 0.035, x - 0.04, y - 0.06, 0.035, (250, 250, 250))
    nose_y = 0.24 if cat else 0.34
    nose: Colour = (206, 120, 120) if cat and breed.pattern not in ("points", "plain") else dark
    dab(
        -0.07 if cat else -0.13, nose_y, 0.05 if cat else 0.1, 0.07 if cat else 0.13, nose_y, 0.05 if cat else 0.1, nose
    )
    dab(0, nose_y, 0.03, 0, nose_y + 0.22, 0.02, dark, 0.8)
    for side in (-1.0, 1.0):
        dab(0, nose_y + 0.22, 0.02, side * 0.2, nose_y + 0.28, 0.015, dark, 0.8)
        if cat:
            for lift in (-0.06, 0.04, 0.14):
                dab(side * 0.3, 0.36 + lift * 0.4, 0.014, side * 1.15, 0.3 + lift * 2, 0.005, (246, 244, 240), 0.8)
    if not cat:
        dab(0.04, nose_y + 0.34, 0.1, 0.06, nose_y + 0.5, 0.09, (222, 110, 120))


def paint_animal(rng: np.random.Generator, picture: Float32, breed: Breed, pose: str, light: Light) -> Float32:
    """Paint an animal at a random position and size.

    Args:
        rng: source of all randomness.
        picture: (height, width, 3) float32, painted on.
        breed: of the animal.
        pose: one of `POSES`.
        light: direction to the light.

    Returns:
        The animal's coverage of each pixel, (height, width) float32 in 0..1.
    """
    height, width = picture.shape[:2]
    reach_x, reach_y = _REACH[pose]
    fit = min(width / (2 * reach_x), height / (2 * reach_y))
    scale = fit * (rng.uniform(0.7, 1.1) if pose == "portrait" else rng.uniform(0.65, 1.1))
    placement = _Placement(
        x=width * rng.uniform(0.4, 0.6),
        y=height * (rng.uniform(0.45, 0.6) if pose == "portrait" else rng.uniform(0.5, 0.62)),
        scale=scale,
        mirror=1.0 if rng.random() < 0.5 else -1.0,
        angle=float(rng.normal(0.0, 0.08)),
    )
    blobs, head = _POSE[pose](rng, breed)
    front = 0.5 if pose != "portrait" else 0.3
    blobs = blobs + _head(breed, *head, z=front)
    placed = [placement.blob(blob) for blob in blobs]
    window = window_of(placed, height, width, margin=0.08 * scale)
    view = picture[window]
    solid = make_solid(shifted(placed, window), view.shape[0], view.shape[1])
    paint_shadow(view, (solid.distance < 0).astype(np.float32), float(min(height, width)))
    colours = coat(rng, breed, solid, scale)
    coverage = np.zeros((height, width), dtype=np.float32)
    coverage[window] = paint_solid(rng, view, solid, colours, fur=scale * rng.uniform(0.006, 0.022), light=light)
    _face(picture, breed, head, placement, soft=0.95)
    return coverage
