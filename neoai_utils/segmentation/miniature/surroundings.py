"""What surrounds the animal: grounds, clutter and shadows, in the coats' colours.

Grounds and clutter take their colours, and often their patterns, from the coats, so that neither colour nor fur
separates the animal from its surroundings: only the shape does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32
from neoai_utils.segmentation.miniature.coats import COAT_COLOURS, Breed, pattern
from neoai_utils.segmentation.miniature.solids import (
    Blob,
    Colour,
    Light,
    make_solid,
    mix,
    paint_shadow,
    paint_solid,
    shifted,
    smooth_noise,
    window_of,
)  # fmt: skip

__all__ = ["CLUTTER", "GROUNDS", "paint_background", "paint_thing"]

_GROUND_COLOURS: dict[str, Colour] = {
    "grass": (96, 130, 62), "wood": (158, 112, 70), "brick": (158, 92, 70), "snow": (226, 230, 236),
    "sand": (214, 190, 146), "carpet": (150, 120, 110), "leaves": (176, 104, 48), "sofa": (120, 110, 130),
}  # fmt: skip
GROUNDS: tuple[str, ...] = tuple(_GROUND_COLOURS)
_PATTERNS = ("tabby", "spots", "patches")
_COAT_SHARE = 0.85  # of the surroundings that have a coat's colour


def _tint(rng: np.random.Generator, colour: Colour, coat_share: float, breed: Breed | None) -> Float32:
    """Return a colour for the surroundings, (3,) float32.

    With probability `coat_share` it is a coat's colour, four times in five the coat of this picture's animal; else it
    is `colour`.
    """
    if rng.random() < coat_share:
        same_breed = breed is not None and rng.random() < 0.8
        coats = (breed.base, breed.second) if breed is not None and same_breed else COAT_COLOURS
        colour = coats[rng.integers(len(coats))]
    return np.clip(np.asarray(colour) + rng.normal(0.0, 12.0, 3), 15, 240).astype(np.float32)


# ---------------------------------------------------------------------------------------------------- grounds


Brightness = NDArray[np.floating]
"""Brightness of a ground, (height, width): float32, or float64 where a number of NumPy's takes part."""


def _coordinates(tone: Float32) -> tuple[Float32, Float32]:
    """Return the row numbers (height, 1) and column numbers (1, width) of a picture."""
    height, width = tone.shape
    return np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]


def _noise(rng: np.random.Generator, tone: Float32, cell: float, stretch: float = 1.0) -> Float32:
    """Return `smooth_noise` of a picture's size."""
    height, width = tone.shape
    return smooth_noise(rng, height, width, cell, stretch)


def _grass(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    return np.asarray(tone + 0.2 * _noise(rng, tone, unit / 22, 0.3))


def _wood(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    rows, _ = _coordinates(tone)
    plank = np.floor(rows / (unit / rng.uniform(4, 8)))
    return np.asarray(tone + 0.14 * np.sin(plank * 12.9) + 0.1 * _noise(rng, tone, unit / 70, 14.0))


def _brick(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    rows, columns = _coordinates(tone)
    tall = unit / rng.uniform(7, 12)
    row = np.floor(rows / tall)
    joint = (rows / tall % 1 < 0.12) | ((columns / (tall * 2.2) + 0.5 * (row % 2)) % 1 < 0.06)
    shade = np.sin(row * 7.1 + 3.7 * np.floor(columns / (tall * 2.2) + 0.5 * (row % 2)))
    return np.where(joint, 1.25 * tone, tone + 0.13 * shade)


def _waves(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    rows, _ = _coordinates(tone)
    return np.asarray(tone + 0.07 * np.sin(rows / unit * 40 + 2 * _noise(rng, tone, unit / 4)))


def _carpet(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    return np.asarray(tone + 0.13 * _noise(rng, tone, unit / 60))


def _leaves(rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    return np.asarray(tone + 0.25 * np.sign(_noise(rng, tone, unit / 18)))


def _sofa(_rng: np.random.Generator, tone: Float32, unit: float) -> Brightness:
    rows, columns = _coordinates(tone)
    return np.asarray(tone + 0.08 * np.sin(columns / unit * 60) * np.sin(rows / unit * 60))


_TEXTURES: Mapping[str, Callable[[np.random.Generator, Float32, float], Brightness]] = {
    "grass": _grass, "wood": _wood, "brick": _brick, "snow": _waves, "sand": _waves, "carpet": _carpet,
    "leaves": _leaves, "sofa": _sofa,
}  # fmt: skip
"""Ground -> function of (rng, brightness (height, width), shorter side in pixels) that returns the brightness."""


def _surface(
    rng: np.random.Generator, ground: str, height: int, width: int, *, unit: float, breed: Breed | None
) -> Float32:
    """Return one ground, (height, width, 3) float32; `unit` is the picture's shorter side in pixels."""
    colour = _tint(rng, _GROUND_COLOURS[ground], _COAT_SHARE, breed)
    tone = 1.0 + 0.1 * smooth_noise(rng, height, width, unit / 5) + 0.05 * smooth_noise(rng, height, width, 1.5)
    surface: NDArray[np.floating] = colour * _TEXTURES[ground](rng, tone, unit)[..., None]
    if rng.random() < 0.35:  # a second coat colour in a coat's pattern, as of a rug, a bedspread, dead leaves
        kind = _PATTERNS[rng.integers(3)]
        size = unit * rng.uniform(0.25, 0.6)
        amount = pattern(rng, kind, height, width, size) * rng.uniform(0.4, 0.9)
        surface = mix(surface.astype(np.float32), _tint(rng, _GROUND_COLOURS[ground], 1.0, breed), amount)
    return np.asarray(np.clip(surface, 0.0, 255.0), dtype=np.float32)


def paint_background(rng: np.random.Generator, ground: str, breed: Breed | None, height: int, width: int) -> Float32:
    """Return the picture before anything stands on it, (height, width, 3) float32.

    Args:
        rng: source of all randomness.
        ground: one of `GROUNDS`.
        breed: the picture's animal, whose coat colours the ground more often than others.
        height: in pixels.
        width: in pixels.
    """
    unit = float(min(height, width))
    picture = _surface(rng, ground, height, width, unit=unit, breed=breed)
    if rng.random() < 0.6:  # a wall, a hedge or the back of a sofa behind the floor
        horizon = int(height * rng.uniform(0.25, 0.6))
        behind = GROUNDS[rng.integers(len(GROUNDS))]
        wall = _surface(rng, behind, horizon, width, unit=unit, breed=breed)
        picture[:horizon] = wall * rng.uniform(0.75, 1.05)
    return picture


# ---------------------------------------------------------------------------------------------------- clutter


def _ball(_rng: np.random.Generator, x: float, y: float, size: float) -> list[Blob]:
    return [Blob(x, y, 0.3 * size, x, y, 0.3 * size)]


def _cushion(_rng: np.random.Generator, x: float, y: float, size: float) -> list[Blob]:
    w = 0.4 * size
    return [
        Blob(x - w, y - 0.1 * size, 0.22 * size, x + w, y - 0.1 * size, 0.22 * size),
        Blob(x - w, y + 0.15 * size, 0.22 * size, x + w, y + 0.15 * size, 0.22 * size),
    ]


def _log(rng: np.random.Generator, x: float, y: float, size: float) -> list[Blob]:
    return [Blob(x - 0.6 * size, y, 0.14 * size, x + 0.6 * size, y + rng.uniform(-0.2, 0.2) * size, 0.14 * size)]


def _blanket(rng: np.random.Generator, x: float, y: float, size: float) -> list[Blob]:
    return [
        Blob(x + dx * size, y + dy * size, 0.3 * size, x - dy * size, y + dx * size * 0.4, 0.26 * size)
        for dx, dy in rng.uniform(-0.4, 0.4, (3, 2))
    ]


def _plant(rng: np.random.Generator, x: float, y: float, size: float) -> list[Blob]:
    blobs = [Blob(x, y + 0.3 * size, 0.2 * size, x, y + 0.1 * size, 0.26 * size)]  # the pot
    for _ in range(9):
        angle = rng.uniform(-2.6, -0.5)
        reach = size * rng.uniform(0.3, 0.7)
        blobs.append(Blob(x, y, 0.05 * size, x + reach * np.cos(angle), y + reach * np.sin(angle), 0.03 * size))
    return blobs


_THINGS: Mapping[str, Callable[[np.random.Generator, float, float, float], list[Blob]]] = {
    "ball": _ball, "cushion": _cushion, "log": _log, "blanket": _blanket, "plant": _plant,
}  # fmt: skip
"""Thing -> function of (rng, column, row, size), all in pixels, that returns its blobs."""
CLUTTER: tuple[str, ...] = tuple(_THINGS)


def paint_thing(
    rng: np.random.Generator,
    picture: Float32,
    kind: str,
    where: tuple[float, float, float],
    *,
    breed: Breed | None,
    light: Light,
) -> Float32:
    """Paint a piece of clutter in a coat's colours and, mostly, a coat's pattern.

    Args:
        rng: source of all randomness.
        picture: (height, width, 3) float32, painted on.
        kind: one of `CLUTTER`.
        where: column, row and size in pixels.
        breed: the picture's animal, whose coat colours the thing more often than others.
        light: direction to the light.

    Returns:
        The thing's coverage of each pixel, (height, width) float32 in 0..1.
    """
    unit = float(min(picture.shape[:2]))
    blobs = _THINGS[kind](rng, *where)
    size = where[2]
    window = window_of(blobs, picture.shape[0], picture.shape[1], margin=0.1 * size)
    coverage = np.zeros(picture.shape[:2], dtype=np.float32)
    view = picture[window]
    height, width = view.shape[:2]
    if min(height, width) < 4:
        return coverage
    solid = make_solid(shifted(blobs, window), height, width)
    colours = np.broadcast_to(_tint(rng, (90, 120, 70), _COAT_SHARE, breed), (height, width, 3)).astype(np.float32)
    if rng.random() < 0.7:
        amount = pattern(rng, _PATTERNS[rng.integers(3)], height, width, size)
        colours = mix(colours, _tint(rng, (60, 60, 60), 1.0, breed), amount)
    paint_shadow(view, (solid.distance < 0).astype(np.float32), unit)
    fur = size * (0.012 if kind == "blanket" else 0.002)
    coverage[window] = paint_solid(rng, view, solid, colours, fur=fur, light=light)
    return coverage
