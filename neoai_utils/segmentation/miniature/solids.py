"""Solid things as sets of blobs: tapered capsules with a height, seen from the front.

A z-buffer over the blobs gives the part that is visible at each pixel; the slope of the height map gives the shading.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from neoai_utils.arrays import Float32

__all__ = [
    "PARTS", "Blob", "Colour", "Light", "Solid", "make_solid", "mix", "paint_dab", "paint_shadow", "paint_solid",
    "shifted", "smooth_noise", "window_of",
]  # fmt: skip

Colour = tuple[int, int, int]
Light = tuple[float, float, float]
"""Direction to the light: x to the right, y down, z towards the viewer."""
PARTS: tuple[str, ...] = ("body", "chest", "leg", "paw", "tail", "tailtip", "head", "muzzle", "ear", "inner")


@dataclass(frozen=True)
class Blob:
    """A tapered capsule.

    Attributes:
        ax: column of one end of its axis; lengths are in pixels or in units of an animal's size.
        ay: row of that end.
        ra: radius there.
        bx: column of the other end.
        by: row of the other end.
        rb: radius there.
        z: height of the axis.
        part: one of `PARTS`.
    """

    ax: float
    ay: float
    ra: float
    bx: float
    by: float
    rb: float
    z: float = 0.0
    part: str = "body"


def smooth_noise(rng: np.random.Generator, height: int, width: int, cell: float, stretch: float = 1.0) -> Float32:
    """Return smooth noise, (height, width) float32, of about zero mean and unit variance, with grains of `cell` pixels.

    `stretch` > 1 makes the grains wider.
    """
    rows = max(2, round(height / max(cell, 1.0)) + 1)
    columns = max(2, round(width / max(cell * stretch, 1.0)) + 1)
    grid = Image.fromarray(rng.standard_normal((rows, columns), dtype=np.float32))
    return np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


@dataclass(frozen=True)
class Solid:
    """A rendered set of blobs, three arrays (height, width).

    Attributes:
        distance: float32, signed distance to the outline in pixels, negative inside.
        depth: float32, height map in pixels.
        part: int8, index into `PARTS` of the visible blob.
    """

    distance: Float32
    depth: Float32
    part: NDArray[np.int8]


def _capsule(blob: Blob, rows: Float32, columns: Float32) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the distance to the axis and the radius there, both (rows, columns)."""
    dx, dy = blob.bx - blob.ax, blob.by - blob.ay
    length2 = max(dx * dx + dy * dy, 1e-6)
    along = np.clip(((columns - blob.ax) * dx + (rows - blob.ay) * dy) / length2, 0.0, 1.0)
    distance = np.hypot(columns - (blob.ax + along * dx), rows - (blob.ay + along * dy))
    return distance, blob.ra + along * (blob.rb - blob.ra)


def window_of(blobs: list[Blob], height: int, width: int, margin: float) -> tuple[slice, slice]:
    """Return the rows and columns of a height x width picture that the blobs, with a margin, can cover."""
    reach = [max(blob.ra, blob.rb) + margin for blob in blobs]
    top = min(min(blob.ay, blob.by) - r for blob, r in zip(blobs, reach, strict=True))
    bottom = max(max(blob.ay, blob.by) + r for blob, r in zip(blobs, reach, strict=True))
    left = min(min(blob.ax, blob.bx) - r for blob, r in zip(blobs, reach, strict=True))
    right = max(max(blob.ax, blob.bx) + r for blob, r in zip(blobs, reach, strict=True))
    return (
        slice(int(np.clip(top, 0, height)), int(np.clip(np.ceil(bottom), 0, height))),
        slice(int(np.clip(left, 0, width)), int(np.clip(np.ceil(right), 0, width))),
    )


def shifted(blobs: list[Blob], window: tuple[slice, slice]) -> list[Blob]:
    """Return the blobs in the coordinates of a window."""
    top, left = window[0].start, window[1].start
    return [replace(blob, ax=blob.ax - left, bx=blob.bx - left, ay=blob.ay - top, by=blob.by - top) for blob in blobs]


def make_solid(blobs: list[Blob], height: int, width: int) -> Solid:
    """Render blobs, in pixels, on a height x width grid."""
    distance = np.full((height, width), 1e3, dtype=np.float32)
    depth = np.full((height, width), -1e3, dtype=np.float32)
    part = np.zeros((height, width), dtype=np.int8)
    for blob in blobs:
        window = window_of([blob], height, width, margin=6.0)
        rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
        columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :]
        if rows.size == 0 or columns.size == 0:
            continue
        axis, radius = _capsule(blob, rows, columns)
        distance[window] = np.minimum(distance[window], axis - radius)
        top = blob.z + np.sqrt(np.maximum(radius * radius - axis * axis, 0.0))
        front = (top > depth[window]) & (axis < radius + 2.0)
        depth[window] = np.where(front, top, depth[window])
        part[window] = np.where(front, PARTS.index(blob.part), part[window])
    return Solid(distance, depth, part)


def _shade(solid: Solid, light: Light) -> Float32:
    """Return the Lambert shading of a height map, about 0.5 (shade) to 1.15 (light); constant outside the outline."""
    inside = solid.distance < 0
    smooth = ndimage.gaussian_filter(np.where(inside, solid.depth, 0.0), 1.2)
    slope_y, slope_x = np.gradient(smooth)
    slope_x, slope_y = np.clip(slope_x, -2.0, 2.0), np.clip(slope_y, -2.0, 2.0)
    facing = (-slope_x * light[0] - slope_y * light[1] + light[2]) / np.sqrt(1 + slope_x**2 + slope_y**2)
    lit = np.where(solid.distance < -1.5, 0.52 + 0.62 * np.clip(facing, 0.0, 1.0), 0.8)
    return lit.astype(np.float32)


def _blend(picture: Float32, colour: Float32, alpha: Float32) -> None:
    """Paint a colour, (3,) or (height, width, 3), on a picture with the opacity alpha (height, width)."""
    picture += alpha[..., None] * (colour - picture)


def mix(first: Float32, second: Float32 | Colour, amount: Float32) -> Float32:
    """Return colours (height, width, 3) with a second colour mixed in by amount (height, width), 0..1."""
    other = np.asarray(second, dtype=np.float32)
    return first + amount[..., None] * (other - first)


def paint_dab(picture: Float32, blob: Blob, colour: Colour, strength: float = 1.0) -> None:
    """Paint one flat, antialiased blob on a picture (height, width, 3)."""
    window = window_of([blob], picture.shape[0], picture.shape[1], margin=2.0)
    rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None, :]
    axis, radius = _capsule(blob, rows, columns)
    alpha = strength * np.clip(radius - axis + 0.5, 0.0, 1.0)
    _blend(picture[window], np.asarray(colour, dtype=np.float32), alpha.astype(np.float32))


def paint_solid(
    rng: np.random.Generator, picture: Float32, solid: Solid, colours: Float32, *, fur: float, light: Light
) -> Float32:
    """Shade a solid and paint it on the picture.

    Args:
        rng: source of all randomness.
        picture: (height, width, 3) float32, painted on.
        solid: its shape, of the picture's size.
        colours: (height, width, 3) float32 before shading.
        fur: roughness of the outline in pixels.
        light: direction to the light.

    Returns:
        The solid's coverage of each pixel, (height, width) float32 in 0..1.
    """
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


def paint_shadow(picture: Float32, alpha: Float32, unit: float) -> None:
    """Darken the picture below and around a thing with coverage alpha, before the thing is painted."""
    drop = max(1, round(0.03 * unit))
    fallen = np.zeros_like(alpha)
    fallen[drop:] = alpha[:-drop]
    picture *= 1.0 - 0.4 * ndimage.gaussian_filter(fallen, 0.025 * unit)[..., None]
