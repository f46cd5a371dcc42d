"""Pictures of animals and things, composed of emoji: training data of the miniature's Stable Diffusion and its judge.

The emoji come from two open sets: Google's Noto emoji (Apache-2.0, npm emoji-datasource-google 16.0.0) and Microsoft's
Fluent emoji in three dimensions (MIT, npm @lobehub/fluent-emoji-3d 1.1.0). The style of a prompt decides which: a photo
shows the shaded set, a drawing the flat one, a sketch either of them in grey, a portrait the animal's face. A picture
is one emoji, rotated, mirrored and shifted a little, on one of six grounds.

`python -m neoai_utils.diffusion.miniature.pictures NOTO.tgz FLUENT.tgz` makes the committed archive of emoji.
"""

from __future__ import annotations

import functools
import io
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils.arrays import Picture
from neoai_utils.diffusion.miniature.concepts import CONCEPTS, GROUNDS, Concept
from neoai_utils.diffusion.prompts import STYLES
from neoai_utils.errors import DataError
from neoai_utils.storage import atomic_path, read_archive

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["DATA", "SIDE", "Scene", "compose", "derive", "ground", "load", "random_scene"]

DATA = Path(__file__).parent / "data"
FILE = DATA / "emoji.zip"
SHA256 = "a394c74860a9e63800a9d40483ce89410c8a8060b081dd5b488821a68a2a7aff"
SIDE = 64  # pixels of a picture's side, and of an emoji's
_FOLDERS = {"noto": "package/img/google/64/{}.png", "fluent": "package/assets/{}.webp"}
_FACES = ("a portrait of",)
_GREY = ("a sketch of",)
_SETS = {"a photo of": ("fluent",), "a drawing of": ("noto",)}
_BOTH = ("noto", "fluent")


@dataclass(frozen=True)
class Scene:
    """The content of a picture.

    Attributes:
        concept: the animal or thing; None for a bare ground.
        style: one of `prompts.STYLES`.
        ground: one of `concepts.GROUNDS`, "" for a plain one.
    """

    concept: Concept | None
    style: str = "a photo of"
    ground: str = ""


@functools.cache
def load() -> dict[str, Image]:
    """Return the committed emoji, (64, 64) RGBA each, by "set/code point".

    Raises:
        DataError: the archive is not the committed one, byte for byte.
    """
    from PIL import Image

    members = read_archive(FILE, SHA256)
    return {
        name.removesuffix(".png"): Image.open(io.BytesIO(content)).convert("RGBA") for name, content in members.items()
    }


def random_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene: a concept by its weight, any style, any ground; one in 25 shows a ground alone."""
    style, name = STYLES[rng.integers(len(STYLES))], tuple(GROUNDS)[rng.integers(len(GROUNDS))]
    if rng.random() < 0.04:
        return Scene(None, style, name)
    weights = np.array([concept.weight for concept in CONCEPTS])
    return Scene(CONCEPTS[rng.choice(len(CONCEPTS), p=weights / weights.sum())], style, name)


def compose(scene: Scene, rng: np.random.Generator) -> Picture:
    """Return a picture of the scene, (64, 64, 3) uint8; the same scene differs a little each time."""
    from PIL import Image, ImageOps

    canvas = Image.fromarray(ground(scene.ground, rng))
    if scene.concept is not None:
        sprite = _sprite(scene.concept, scene.style, rng)
        x, y = (SIDE - sprite.width) // 2, (SIDE - sprite.height) // 2
        slack = max(0, (SIDE - sprite.width) // 2)
        canvas.paste(sprite, (x + int(rng.integers(-slack, slack + 1)), y + int(rng.integers(-2, 3))), sprite)
    if scene.style in _GREY:
        canvas = ImageOps.autocontrast(canvas.convert("L")).convert("RGB")
    return np.asarray(canvas)


def _sprite(concept: Concept, style: str, rng: np.random.Generator) -> Image:
    from PIL import Image, ImageOps

    code = concept.face if style in _FACES and concept.face else concept.code
    sets = _SETS.get(style, _BOTH)
    sprite = load()[f"{sets[rng.integers(len(sets))]}/{code}"]
    if rng.random() < 0.5:
        sprite = ImageOps.mirror(sprite)
    side = int(rng.integers(46, 61))
    sprite = sprite.rotate(float(rng.uniform(-8, 8)), Image.Resampling.BICUBIC)
    return sprite.resize((side, side), Image.Resampling.LANCZOS)


def ground(name: str, rng: np.random.Generator) -> Picture:
    """Return a ground, (64, 64, 3) uint8: sky above, earth below, or one pale colour where `name` is empty."""
    if not name:
        colour = rng.uniform(205, 250, 3)
        return np.broadcast_to(colour, (SIDE, SIDE, 3)).astype(np.uint8)
    sky, earth = (np.array(colour, dtype=float) for colour in GROUNDS[name])
    rows = np.arange(SIDE)[:, None, None]
    horizon = rng.uniform(0.45, 0.65) * SIDE
    picture = np.where(rows < horizon, sky, earth) + rng.normal(0, 6, 3)
    picture = picture + np.where(rows < horizon, 0.35 * (rows - horizon / 2), 0.25 * (horizon - rows))
    if name == "at night":
        stars = rng.integers(0, SIDE, (10, 2))
        picture = np.broadcast_to(picture, (SIDE, SIDE, 3)).copy()
        picture[stars[:, 0] // 2, stars[:, 1]] = 235
    return np.broadcast_to(picture, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)


# ---------------------------------------------------------------------------------------------- the committed archive


def derive(noto: Path, fluent: Path) -> None:
    """Make the archive from the two npm packages: every emoji that a concept uses, 64 pixels wide.

    Raises:
        DataError: a package is missing, no archive, or lacks an emoji.
    """
    from PIL import Image

    codes = sorted({code for concept in CONCEPTS for code in (concept.code, concept.face) if code})
    members: dict[str, bytes] = {}
    for name, package in (("fluent", fluent), ("noto", noto)):
        try:
            with tarfile.open(package) as opened:
                for code in codes:
                    member = opened.extractfile(_FOLDERS[name].format(code))
                    if member is None:
                        raise KeyError(code)
                    picture = Image.open(io.BytesIO(member.read())).convert("RGBA")
                    with io.BytesIO() as buffer:
                        picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
                        members[f"{name}/{code}.png"] = buffer.getvalue()
        except (OSError, KeyError, tarfile.TarError) as error:
            raise DataError(f"{package} is not the package of {name} emoji: {error}.") from error
    with atomic_path(FILE) as temporary, zipfile.ZipFile(temporary, "w") as written:
        for name in sorted(members):
            written.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), members[name])


if __name__ == "__main__":
    derive(Path(sys.argv[1]), Path(sys.argv[2]))
