"""Cats and dogs drawn by code, with the exact mask of every picture.

A scene is a ground, some clutter, one animal of one of twelve breeds and, in three of ten pictures, something in front
of it. Lengths inside an animal are in units of its size; the scene turns them into pixels, so pictures of any size
follow the same distribution. Own work, no outside pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neoai_utils.arrays import Float32, Mask, Picture
from neoai_utils.segmentation.miniature.animals import POSES, paint_animal
from neoai_utils.segmentation.miniature.coats import Breed
from neoai_utils.segmentation.miniature.surroundings import CLUTTER, GROUNDS, paint_background, paint_thing

__all__ = ["Scene", "draw", "random_scene"]


@dataclass(frozen=True)
class Scene:
    """What a picture shows.

    Attributes:
        ground: one of `GROUNDS`.
        clutter: things around the animal, each one of `CLUTTER`.
        breed: the animal; None for a scene without one.
        pose: one of `POSES`.
        in_front: a thing that hides part of the animal, or None.
    """

    ground: str
    clutter: tuple[str, ...]
    breed: Breed | None
    pose: str
    in_front: str | None

    def caption(self, rng: np.random.Generator) -> str:
        """Return a caption as people write it: the animal, sometimes its pose, the ground, the things around."""
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
    """Sample everything except the animal."""
    clutter = tuple(CLUTTER[i] for i in rng.integers(len(CLUTTER), size=rng.integers(2, 5)))
    in_front = CLUTTER[rng.integers(len(CLUTTER))] if rng.random() < 0.3 else None
    return Scene(GROUNDS[rng.integers(len(GROUNDS))], clutter, breed, POSES[rng.integers(len(POSES))], in_front)


def draw(rng: np.random.Generator, scene: Scene, height: int, width: int) -> tuple[Picture, Mask]:
    """Draw a scene.

    Args:
        rng: source of all randomness; the same state gives the same picture.
        scene: what to show.
        height: size in pixels.
        width: size in pixels.

    Returns:
        The picture (height, width, 3) uint8 RGB and the animal's visible mask (height, width) bool.
    """
    unit = float(min(height, width))
    angle = rng.uniform(-2.4, -0.7)
    light = (0.55 * np.cos(angle), 0.55 * np.sin(angle), 0.8)
    picture = paint_background(rng, scene.ground, scene.breed, height, width)
    for kind in scene.clutter:
        where = (rng.uniform(0, width), rng.uniform(0.15, 1.0) * height, unit * rng.uniform(0.2, 0.6))
        paint_thing(rng, picture, kind, where, breed=scene.breed, light=light)
    mask = np.zeros((height, width), dtype=np.float32)
    if scene.breed is not None:
        mask = paint_animal(rng, picture, scene.breed, scene.pose, light)
        if scene.in_front is not None:
            x, y = rng.uniform(0.15, 0.85) * width, rng.uniform(0.85, 1.05) * height
            where = (x, y, unit * rng.uniform(0.25, 0.45))
            hidden = paint_thing(rng, picture, scene.in_front, where, breed=scene.breed, light=light)
            mask = mask * (1.0 - hidden)
    return _exposed(rng, picture), mask >= 0.5


def _exposed(rng: np.random.Generator, picture: Float32) -> Picture:
    """Return the picture with vignette, exposure, colour cast and sensor noise, uint8."""
    height, width = picture.shape[:2]
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    vignette = 1.0 - rng.uniform(0.0, 0.2) * (rows**2 + columns**2)
    cast = rng.uniform(0.75, 1.15) * (1.0 + rng.normal(0.0, 0.025, 3))
    noise = rng.normal(0.0, 3.0, (height, width, 1))
    return np.clip(picture * vignette[..., None] * cast + noise, 0, 255).astype(np.uint8)
