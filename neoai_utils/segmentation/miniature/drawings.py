"""Cats and dogs drawn by code, with the exact mask of every picture.

A scene is a ground, some clutter, one animal of one of twelve breeds and, now and then, something in front of it.
Every solid thing is a set of *blobs*: tapered capsules with a height, seen from the front.  A z-buffer over the blobs
says which part is seen at each pixel, the slope of the height map shades it, and procedural coats (stripes, spots,
patches, points) colour it.  Grounds and clutter take their colours, and often their patterns, from the coats, so that
neither colour nor fur tells the animal from its surroundings: the shape does.

Lengths inside an animal are in units of its own size; the scene turns them into pixels, so one scene law serves
pictures of any size.  Own work, no outside pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Array = NDArray[np.float32]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Breed:
    """One class of the miniature: an animal with a coat.

    `pattern` is one of plain, tabby, spots, patches, points, tuxedo, saddle, mask; `base` and `second` are its two
    main RGB colours, `ears` is "prick" or "floppy".
    """

    name: str
    animal: str
    base: Colour
    second: Colour
    pattern: str
    eyes: Colour
    ears: str


BREEDS: tuple[Breed, ...] = (
    Breed("ginger tabby cat", "cat", (216, 134, 66), (158, 82, 34), "tabby", (120, 160, 60), "prick"),
    Breed("tuxedo cat", "cat", (46, 44, 50), (236, 234, 230), "tuxedo", (190, 180, 60), "prick"),
    Breed("siamese cat", "cat", (224, 206, 176), (84, 64, 56), "points", (90, 150, 220), "prick"),
    Breed("russian blue cat", "cat", (122, 132, 148), (104, 112, 128), "plain", (110, 190, 90), "prick"),
    Breed("calico cat", "cat", (234, 228, 218), (206, 124, 58), "patches", (170, 150, 60), "prick"),
    Breed("bengal cat", "cat", (194, 150, 96), (78, 52, 32), "spots", (110, 170, 80), "prick"),
    Breed("golden retriever dog", "dog", (212, 168, 104), (184, 134, 72), "plain", (70, 44, 24), "floppy"),
    Breed("chocolate labrador dog", "dog", (100, 66, 46), (78, 50, 36), "plain", (150, 110, 50), "floppy"),
    Breed("dalmatian dog", "dog", (236, 234, 228), (44, 42, 44), "spots", (80, 54, 34), "floppy"),
    Breed("husky dog", "dog", (108, 114, 126), (236, 236, 236), "mask", (110, 170, 230), "prick"),
    Breed("beagle dog", "dog", (172, 110, 62), (48, 42, 42), "saddle", (70, 44, 24), "floppy"),
    Breed("pug dog", "dog", (214, 188, 148), (58, 50, 48), "points", (50, 34, 24), "floppy"),
)
GROUNDS: tuple[str, ...] = ("grass", "wood", "brick", "snow", "sand", "carpet", "leaves", "sofa")
POSES: tuple[str, ...] = ("standing", "sitting", "lying", "portrait")

_OWN_GROUND: dict[str, Colour] = {
    "grass": (96, 130, 62), "wood": (158, 112, 70), "brick": (158, 92, 70), "snow": (226, 230, 236),
    "sand": (214, 190, 146), "carpet": (150, 120, 110), "leaves": (176, 104, 48), "sofa": (120, 110, 130),
}  # fmt: skip
_COAT_COLOURS: tuple[Colour, ...] = tuple(c for b in BREEDS for c in (b.base, b.second))
_PARTS: tuple[str, ...] = ("body", "chest", "leg", "paw", "tail", "tailtip", "head", "muzzle", "ear", "inner")


@dataclass(frozen=True)
class Blob:
    """A tapered capsule from (ax, ay) with radius ra to (bx, by) with radius rb, its axis at height z."""

    ax: float
    ay: float
    ra: float
    bx: float
    by: float
    rb: float
    z: float = 0.0
    part: str = "body"


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: float, stretch: float = 1.0) -> Array:
    """Smooth noise, (height, width) float32, about zero mean and unit spread, grains of `cell` pixels.

    `stretch` > 1 draws the grains out sideways.
    """
    rows = max(2, round(height / max(cell, 1.0)) + 1)
    columns = max(2, round(width / max(cell * stretch, 1.0)) + 1)
    grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


# ------------------------------------------------------------------------------------------------ solids


@dataclass(frozen=True)
class _Solid:
    distance: Array  # signed distance to the outline in pixels, negative inside
    depth: Array  # height map in pixels
    part: NDArray[np.int8]  # index into _PARTS, of the blob in front


def _capsule(blob: Blob, rows: Array, columns: Array) -> tuple[NDArray[Any], NDArray[Any]]:
    """Distance to the axis and radius there, both on the grid rows x columns."""
    dx, dy = blob.bx - blob.ax, blob.by - blob.ay
    length2 = max(dx * dx + dy * dy, 1e-6)
    along = np.clip(((columns - blob.ax) * dx + (rows - blob.ay) * dy) / length2, 0.0, 1.0)
    distance = np.hypot(columns - (blob.ax + along * dx), rows - (blob.ay + along * dy))
    return distance, blob.ra + along * (blob.rb - blob.ra)


def _window(blobs: list[Blob], height: int, width: int, margin: float) -> tuple[slice, slice]:
    """The part of a height x width picture that the blobs can touch."""
    reach = [max(blob.ra, blob.rb) + margin for blob in blobs]
    top = min(min(blob.ay, blob.by) - r for blob, r in zip(blobs, reach, strict=True))
    bottom = max(max(blob.ay, blob.by) + r for blob, r in zip(blobs, reach, strict=True))
    left = min(min(blob.ax, blob.bx) - r for blob, r in zip(blobs, reach, strict=True))
    right = max(max(blob.ax, blob.bx) + r for blob, r in zip(blobs, reach, strict=True))
    return (
        slice(int(np.clip(top, 0, height)), int(np.clip(np.ceil(bottom), 0, height))),
        slice(int(np.clip(left, 0, width)), int(np.clip(np.ceil(right), 0, width))),
    )


def _shifted(blobs: list[Blob], window: tuple[slice, slice]) -> list[Blob]:
    """The same blobs in the coordinates of a window."""
    top, left = window[0].start, window[1].start
    return [replace(blob, ax=blob.ax - left, bx=blob.bx - left, ay=blob.ay - top, by=blob.by - top) for blob in blobs]


def _solid(blobs: list[Blob], height: int, width: int) -> _Solid:
    distance = np.full((height, width), 1e3, dtype=np.float32)
    depth = np.full((height, width), -1e3, dtype=np.float32)
    part = np.zeros((height, width), dtype=np.int8)
    for blob in blobs:
        window = _window([blob], height, width, margin=6.0)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :]
        if rows.size == 0 or columns.size == 0:
            continue
        axis, radius = _capsule(blob, rows, columns)
        distance[window] = np.minimum(distance[window], axis - radius)
        top = blob.z + np.sqrt(np.maximum(radius * radius - axis * axis, 0.0))
        front = (top > depth[window]) & (axis < radius + 2.0)
        depth[window] = np.where(front, top, depth[window])
        part[window] = np.where(front, _PARTS.index(blob.part), part[window])
    return _Solid(distance, depth, part)


def _shade(solid: _Solid, light: tuple[float, float, float]) -> Array:
    """Lambert shading of a height map, about 0.5 in the shade to 1.15 in the light; even outside the outline."""
    inside = solid.distance < 0
    smooth = ndimage.gaussian_filter(np.where(inside, solid.depth, 0.0), 1.2)
    slope_y, slope_x = np.gradient(smooth)
    slope_x, slope_y = np.clip(slope_x, -2.0, 2.0), np.clip(slope_y, -2.0, 2.0)
    facing = (-slope_x * light[0] - slope_y * light[1] + light[2]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = np.where(solid.distance < -1.5, 0.52 + 0.62 * np.clip(facing, 0.0, 1.0), 0.8)
    return lit.astype(np.float32)


def _blend(picture: Array, colour: Array, alpha: Array) -> None:
    picture += alpha[..., None] * (colour - picture)


def _dab(picture: Array, blob: Blob, colour: Colour, strength: float = 1.0) -> None:
    """Paint one flat, antialiased blob."""
    window = _window([blob], picture.shape[0], picture.shape[1], margin=2.0)
    rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :]
    axis, radius = _capsule(blob, rows, columns)
    alpha = strength * np.clip(radius - axis + 0.5, 0.0, 1.0)
    _blend(picture[window], np.asarray(colour, dtype=np.float32), alpha.astype(np.float32))


# ------------------------------------------------------------------------------------------------ coats


def _pattern(rng: np.random.Generator, kind: str, height: int, width: int, size: float) -> Array:
    """Where the second colour shows, (height, width) in 0..1, for the patterned coats."""
    if kind == "tabby":
        warp = smooth_noise(rng, height, width, size * 0.35)
        rows = np.arange(height, dtype=np.float32)[:, None]
        columns = np.arange(width, dtype=np.float32)[None, :]
        across = columns * np.cos(0.3) + rows * np.sin(0.3)
        wave = np.sin(across * (2 * np.pi / (size * 0.23)) + 1.6 * warp)
        return np.asarray(np.clip(2.2 * (wave - 0.1), 0.0, 1.0), dtype=np.float32)
    if kind == "spots":
        return np.asarray(np.clip(5.0 * (smooth_noise(rng, height, width, size * 0.13) - 0.55), 0.0, 1.0))
    if kind == "patches":
        return np.asarray(np.clip(6.0 * (smooth_noise(rng, height, width, size * 0.5) - 0.25), 0.0, 1.0))
    return np.zeros((height, width), dtype=np.float32)


def _mix(first: Array, second: Array | Colour, amount: Array) -> Array:
    other = np.asarray(second, dtype=np.float32)
    return first + amount[..., None] * (other - first)


def _coat(rng: np.random.Generator, breed: Breed, solid: _Solid, size: float) -> Array:
    """The coat's colours before shading, (height, width, 3)."""
    height, width = solid.part.shape
    jitter = rng.normal(0.0, 7.0) + rng.normal(0.0, 3.0, 3)
    base = np.clip(np.asarray(breed.base) + jitter, 12, 245).astype(np.float32)
    second = np.clip(np.asarray(breed.second) + jitter, 12, 245).astype(np.float32)
    white = np.asarray((236, 232, 226), dtype=np.float32)
    colours = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    of = {name: (solid.part == index).astype(np.float32) for index, name in enumerate(_PARTS)}
    if breed.pattern in ("tabby", "spots", "patches"):
        colours = _mix(colours, second, _pattern(rng, breed.pattern, height, width, size))
    if breed.pattern == "patches":
        colours = _mix(colours, (48, 44, 46), _pattern(rng, "patches", height, width, size * 0.8))
    if breed.pattern == "tabby":
        colours = _mix(colours, white, of["muzzle"] + 0.8 * of["chest"])
    if breed.pattern == "spots" and breed.animal == "dog":
        colours = _mix(colours, second, 0.85 * of["ear"])
    if breed.pattern == "points":
        colours = _mix(colours, second, of["ear"] + of["muzzle"] + of["tailtip"] + 0.8 * of["paw"])
    if breed.pattern == "tuxedo":
        colours = _mix(colours, second, of["chest"] + of["paw"] + of["muzzle"])
    if breed.pattern == "mask":
        colours = _mix(colours, second, of["chest"] + of["paw"] + of["muzzle"] + 0.9 * of["leg"])
    if breed.pattern == "saddle":
        dark = np.clip(4.0 * (smooth_noise(rng, height, width, size * 0.6) + 0.4), 0.0, 1.0)
        colours = _mix(colours, second, dark * (of["body"] + of["tail"]))
        colours = _mix(colours, white, of["chest"] + of["paw"] + of["muzzle"] + of["tailtip"])
    if breed.pattern == "plain":
        colours = _mix(colours, second, 0.9 * of["ear"])
    return _mix(colours, (214, 150, 146), 0.8 * of["inner"])


# ------------------------------------------------------------------------------------------------ animals


def _head(breed: Breed, x: float, y: float, r: float, turn: float, *, z: float) -> list[Blob]:
    """A head of radius r about (x, y), looking at us, the face shifted sideways by `turn` (-1..1)."""
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


def _standing(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], tuple[float, float, float, float]]:
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


def _sitting(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], tuple[float, float, float, float]]:
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


def _lying(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], tuple[float, float, float, float]]:
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


def _portrait(rng: np.random.Generator, breed: Breed) -> tuple[list[Blob], tuple[float, float, float, float]]:
    lean = rng.uniform(-0.15, 0.15)
    blobs = [
        Blob(lean * 2, 1.25, 0.85, lean, 0.4, 0.5, -0.2, "body"),
        Blob(lean, 0.5, 0.36, lean * 2, 1.2, 0.5, 0.15, "chest"),
    ]
    return blobs, (0.0, -0.15, 0.72, rng.uniform(-0.8, 0.8))


_POSE = {"standing": _standing, "sitting": _sitting, "lying": _lying, "portrait": _portrait}


@dataclass(frozen=True)
class _Placement:
    """Where an animal stands: unit lengths to pixels by mirror, rotation, scale, shift."""

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


def _face(
    picture: Array, breed: Breed, head: tuple[float, float, float, float], place: _Placement, soft: float
) -> None:
    """Eyes, nose, mouth, whiskers or tongue."""
    hx, hy, r, turn = head
    shift = 0.3 * turn * r

    def dab(  # noqa: PLR0917 (a list of dabs reads best as a table)
        x: float, y: float, ra: float, x2: float, y2: float, rb: float, colour: Colour, strength: float = 1.0
    ) -> None:
        blob = place.blob(Blob(hx + shift + x * r, hy + y * r, ra * r, hx + shift + x2 * r, hy + y2 * r, rb * r))
        _dab(picture, blob, colour, strength * soft)

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


def _paint_solid(
    rng: np.random.Generator,
    picture: Array,
    solid: _Solid,
    colours: Array,
    *,
    fur: float,
    light: tuple[float, float, float],
) -> Array:
    """Shade and blend a solid into the picture; returns its coverage (height, width) in 0..1."""
    height, width = solid.part.shape
    edge = solid.distance + fur * smooth_noise(rng, height, width, max(1.2, 0.9 * fur))
    alpha = np.clip(0.5 - edge, 0.0, 1.0).astype(np.float32)
    grain = (
        1.0
        + 0.07 * smooth_noise(rng, height, width, 1.4)
        + 0.07 * smooth_noise(rng, height, width, max(2.0, fur * 2), 0.4)
    )
    shaded = np.clip(colours * (_shade(solid, light) * grain)[..., None], 0.0, 255.0)
    _blend(picture, shaded, alpha)
    return alpha


# ------------------------------------------------------------------------------------------------ surroundings


def _tint(rng: np.random.Generator, own: Colour, coat_share: float, breed: Breed | None) -> Array:
    """A colour for the surroundings: with `coat_share` a coat's, four times in five that of the animal here."""
    colour = own
    if rng.random() < coat_share:
        of_this = breed is not None and rng.random() < 0.8
        coats = (breed.base, breed.second) if breed is not None and of_this else _COAT_COLOURS
        colour = coats[rng.integers(len(coats))]
    return np.clip(np.asarray(colour) + rng.normal(0.0, 12.0, 3), 15, 240).astype(np.float32)


def _surface(
    rng: np.random.Generator, ground: str, height: int, width: int, *, unit: float, breed: Breed | None
) -> Array:
    """One ground, (height, width, 3); `unit` is the picture's shorter side in pixels."""
    colour = _tint(rng, _OWN_GROUND[ground], coat_share=0.85, breed=breed)
    tone = 1.0 + 0.1 * smooth_noise(rng, height, width, unit / 5) + 0.05 * smooth_noise(rng, height, width, 1.5)
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    if ground == "grass":
        tone = tone + 0.2 * smooth_noise(rng, height, width, unit / 22, 0.3)
    elif ground == "wood":
        plank = np.floor(rows / (unit / rng.uniform(4, 8)))
        tone = tone + 0.14 * np.sin(plank * 12.9) + 0.1 * smooth_noise(rng, height, width, unit / 70, 14.0)
        tone = np.where(rows / (unit / 6) % 1 < 0.0, 0.6, tone)
    elif ground == "brick":
        tall = unit / rng.uniform(7, 12)
        row = np.floor(rows / tall)
        joint = (rows / tall % 1 < 0.12) | ((columns / (tall * 2.2) + 0.5 * (row % 2)) % 1 < 0.06)
        shade = np.sin(row * 7.1 + 3.7 * np.floor(columns / (tall * 2.2) + 0.5 * (row % 2)))
        tone = np.where(joint, 1.25 * tone, tone + 0.13 * shade)
    elif ground in ("sand", "snow"):
        tone = tone + 0.07 * np.sin(rows / unit * 40 + 2 * smooth_noise(rng, height, width, unit / 4))
    elif ground == "carpet":
        tone = tone + 0.13 * smooth_noise(rng, height, width, unit / 60)
    elif ground == "leaves":
        tone = tone + 0.25 * np.sign(smooth_noise(rng, height, width, unit / 18))
    elif ground == "sofa":
        tone = tone + 0.08 * np.sin(columns / unit * 60) * np.sin(rows / unit * 60)
    surface = colour * tone[..., None]
    if rng.random() < 0.35:  # a second coat colour, in a coat's own pattern: a rug, a bedspread, dead leaves
        kind = ("tabby", "spots", "patches")[rng.integers(3)]
        size = unit * rng.uniform(0.25, 0.6)
        pattern = _pattern(rng, kind, height, width, size) * rng.uniform(0.4, 0.9)
        surface = _mix(surface.astype(np.float32), _tint(rng, _OWN_GROUND[ground], 1.0, breed), pattern)
    return np.clip(surface, 0.0, 255.0).astype(np.float32)


def _thing(rng: np.random.Generator, kind: str, x: float, y: float, size: float) -> list[Blob]:
    """The blobs of one piece of clutter about (x, y), in pixels."""
    if kind == "ball":
        return [Blob(x, y, 0.3 * size, x, y, 0.3 * size)]
    if kind == "cushion":
        w = 0.4 * size
        return [Blob(x - w, y - 0.1 * size, 0.22 * size, x + w, y - 0.1 * size, 0.22 * size),
                Blob(x - w, y + 0.15 * size, 0.22 * size, x + w, y + 0.15 * size, 0.22 * size)]  # fmt: skip
    if kind == "log":
        return [Blob(x - 0.6 * size, y, 0.14 * size, x + 0.6 * size, y + rng.uniform(-0.2, 0.2) * size, 0.14 * size)]
    if kind == "blanket":
        return [
            Blob(x + dx * size, y + dy * size, 0.3 * size, x - dy * size, y + dx * size * 0.4, 0.26 * size)
            for dx, dy in rng.uniform(-0.4, 0.4, (3, 2))
        ]
    blobs = [Blob(x, y + 0.3 * size, 0.2 * size, x, y + 0.1 * size, 0.26 * size)]  # a pot with a plant
    for _ in range(9):
        angle = rng.uniform(-2.6, -0.5)
        reach = size * rng.uniform(0.3, 0.7)
        blobs.append(Blob(x, y, 0.05 * size, x + reach * np.cos(angle), y + reach * np.sin(angle), 0.03 * size))
    return blobs


CLUTTER: tuple[str, ...] = ("ball", "cushion", "log", "blanket", "plant")


def _paint_thing(
    rng: np.random.Generator,
    picture: Array,
    scene: Scene,
    *,
    kind: str,
    place: tuple[float, float, float],
    light: tuple[float, float, float],
) -> Array:
    """Paint a piece of clutter in a coat's colours and, mostly, a coat's pattern; returns its coverage."""
    unit = float(min(picture.shape[:2]))
    x, y, size = place
    blobs = _thing(rng, kind, x, y, size)
    window = _window(blobs, picture.shape[0], picture.shape[1], margin=0.1 * size)
    coverage = np.zeros(picture.shape[:2], dtype=np.float32)
    view = picture[window]
    height, width = view.shape[:2]
    if min(height, width) < 4:
        return coverage
    solid = _solid(_shifted(blobs, window), height, width)
    colours = np.broadcast_to(_tint(rng, (90, 120, 70), 0.85, scene.breed), (height, width, 3)).astype(np.float32)
    if rng.random() < 0.7:
        pattern = _pattern(rng, ("tabby", "spots", "patches")[rng.integers(3)], height, width, size)
        colours = _mix(colours, _tint(rng, (60, 60, 60), 1.0, scene.breed), pattern)
    _shadow(view, (solid.distance < 0).astype(np.float32), unit)
    furry = size * (0.012 if kind == "blanket" else 0.002)
    coverage[window] = _paint_solid(rng, view, solid, colours, fur=furry, light=light)
    return coverage


def _shadow(picture: Array, alpha: Array, unit: float) -> None:
    """Darken the picture below and around a thing, before the thing itself is painted."""
    drop = max(1, round(0.03 * unit))
    fallen = np.zeros_like(alpha)
    fallen[drop:] = alpha[:-drop]
    picture *= 1.0 - 0.4 * ndimage.gaussian_filter(fallen, 0.025 * unit)[..., None]


def _background(rng: np.random.Generator, scene: Scene, height: int, width: int) -> Array:
    unit = float(min(height, width))
    picture = _surface(rng, scene.ground, height, width, unit=unit, breed=scene.breed)
    if rng.random() < 0.6:  # a wall, a hedge or a sofa's back behind the floor
        horizon = int(height * rng.uniform(0.25, 0.6))
        behind = GROUNDS[rng.integers(len(GROUNDS))]
        picture[:horizon] = _surface(rng, behind, horizon, width, unit=unit, breed=scene.breed) * rng.uniform(
            0.75, 1.05
        )
    return picture


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        ground: one of GROUNDS.
        clutter: things that lie about, each one of CLUTTER.
        breed: the animal; None for a scene without one.
        pose: one of POSES.
        in_front: a thing that hides part of the animal, or None.
    """

    ground: str
    clutter: tuple[str, ...]
    breed: Breed | None
    pose: str
    in_front: str | None

    def caption(self, rng: np.random.Generator) -> str:
        """Describe the scene as people do: the animal, and now and then its pose, the ground, the things about."""
        parts = []
        if self.breed is not None:
            parts.append(f"a {self.breed.name if rng.random() < 0.8 else self.breed.animal}")
            if rng.random() < 0.6:
                parts.append(self.pose)
        if self.breed is None or rng.random() < 0.4:
            parts.append(f"on {self.ground}" if parts else self.ground)
        if self.clutter and rng.random() < 0.5:
            things = sorted(set(self.clutter))
            parts.append("with a " + " and a ".join(things[: rng.integers(1, 3)]))
        opening = ("a photo of ", "a picture of ", "")[rng.integers(3)]
        return opening + " ".join(parts)


def random_scene(rng: np.random.Generator, breed: Breed | None) -> Scene:
    """Draw lots for everything but the animal."""
    clutter = tuple(CLUTTER[i] for i in rng.integers(len(CLUTTER), size=rng.integers(2, 5)))
    in_front = CLUTTER[rng.integers(len(CLUTTER))] if rng.random() < 0.3 else None
    return Scene(GROUNDS[rng.integers(len(GROUNDS))], clutter, breed, POSES[rng.integers(len(POSES))], in_front)


def draw(
    rng: np.random.Generator, scene: Scene, height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draw a scene.

    Args:
        rng: where every place, size and shade comes from; the same state gives the same picture.
        scene: what to show.
        height: size in pixels.
        width: size in pixels.

    Returns:
        The picture (height, width, 3) uint8 RGB and the animal's visible mask (height, width) bool.
    """
    unit = float(min(height, width))
    angle = rng.uniform(-2.4, -0.7)
    light = (0.55 * np.cos(angle), 0.55 * np.sin(angle), 0.8)
    picture = _background(rng, scene, height, width)
    for kind in scene.clutter:
        place = (rng.uniform(0, width), rng.uniform(0.15, 1.0) * height, unit * rng.uniform(0.2, 0.6))
        _paint_thing(rng, picture, scene, kind=kind, place=place, light=light)
    mask = np.zeros((height, width), dtype=np.float32)
    if scene.breed is not None:
        mask = _paint_animal(rng, picture, scene.breed, scene.pose, light)
        if scene.in_front is not None:
            x, y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.85, 1.05) * height
            place = (x, y, unit * rng.uniform(0.25, 0.45))
            mask = mask * (1.0 - _paint_thing(rng, picture, scene, kind=scene.in_front, place=place, light=light))
    return _exposed(rng, picture), mask >= 0.5


def _exposed(rng: np.random.Generator, picture: Array) -> NDArray[np.uint8]:
    """Vignette, exposure, colour cast and sensor noise."""
    height, width = picture.shape[:2]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1.0 - rng.uniform(0.0, 0.2) * (rows**2 + columns**2)
    cast = rng.uniform(0.75, 1.15) * (1.0 + rng.normal(0.0, 0.025, 3))
    noise = rng.normal(0.0, 3.0, (height, width, 1))
    return np.clip(picture * vignette[..., None] * cast + noise, 0, 255).astype(np.uint8)


_REACH = {"standing": (1.35, 1.25), "sitting": (1.0, 1.3), "lying": (1.35, 0.75), "portrait": (1.05, 1.1)}


def _paint_animal(
    rng: np.random.Generator, picture: Array, breed: Breed, pose: str, light: tuple[float, float, float]
) -> Array:
    height, width = picture.shape[:2]
    reach_x, reach_y = _REACH[pose]
    fit = min(width / (2 * reach_x), height / (2 * reach_y))
    scale = fit * (rng.uniform(0.7, 1.1) if pose == "portrait" else rng.uniform(0.65, 1.1))
    place = _Placement(
        x=width * rng.uniform(0.4, 0.6),
        y=height * (rng.uniform(0.45, 0.6) if pose == "portrait" else rng.uniform(0.5, 0.62)),
        scale=scale,
        mirror=1.0 if rng.random() < 0.5 else -1.0,
        angle=float(rng.normal(0.0, 0.08)),
    )
    blobs, head = _POSE[pose](rng, breed)
    front = 0.5 if pose != "portrait" else 0.3
    blobs = blobs + _head(breed, *head, z=front)
    placed = [place.blob(blob) for blob in blobs]
    window = _window(placed, height, width, margin=0.08 * scale)
    view = picture[window]
    solid = _solid(_shifted(placed, window), view.shape[0], view.shape[1])
    _shadow(view, (solid.distance < 0).astype(np.float32), float(min(height, width)))
    coat = _coat(rng, breed, solid, scale)
    coverage = np.zeros((height, width), dtype=np.float32)
    coverage[window] = _paint_solid(rng, view, solid, coat, fur=scale * rng.uniform(0.006, 0.022), light=light)
    _face(picture, breed, head, place, soft=0.95)
    return coverage
