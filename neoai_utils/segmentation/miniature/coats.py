"""Coats: the breeds with their colours, and the patterns of fur."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.segmentation.miniature.solids import PARTS, Colour, Solid, mix, smooth_noise

__all__ = ["BREEDS", "COAT_COLOURS", "Breed", "coat", "pattern"]

_WHITE: Colour = (236, 232, 226)
_BLACK: Colour = (48, 44, 46)
_SKIN: Colour = (214, 150, 146)


@dataclass(frozen=True)
class Breed:
    """One class of the miniature: an animal with a coat.

    Attributes:
        name: the class name.
        animal: "cat" or "dog".
        base: main colour of the coat, RGB.
        second: second colour of the coat.
        pattern: one of plain, tabby, spots, patches, points, tuxedo, saddle, mask.
        eyes: their colour.
        ears: "prick" or "floppy".
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
COAT_COLOURS: tuple[Colour, ...] = tuple(c for b in BREEDS for c in (b.base, b.second))


# ---------------------------------------------------------------------------------------------------- patterns


def pattern(rng: np.random.Generator, kind: str, height: int, width: int, size: float) -> Float32:
    """Return where the second colour is, (height, width) float32 in 0..1.

    Args:
        rng: source of all randomness.
        kind: "tabby", "spots" or "patches".
        height: in pixels.
        width: in pixels.
        size: of the animal in pixels.
    """
    return np.asarray(np.clip(_PATTERNS[kind](rng, height, width, size), 0.0, 1.0), dtype=np.float32)


def _tabby(rng: np.random.Generator, height: int, width: int, size: float) -> Float32:
    warp = smooth_noise(rng, height, width, size * 0.35)
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :]
    across = columns * np.cos(0.3) + rows * np.sin(0.3)
    wave = np.sin(across * (2 * np.pi / (size * 0.23)) + 1.6 * warp)
    return np.asarray(2.2 * (wave - 0.1))


def _spots(rng: np.random.Generator, height: int, width: int, size: float) -> Float32:
    return 5.0 * (smooth_noise(rng, height, width, size * 0.13) - 0.55)


def _patches(rng: np.random.Generator, height: int, width: int, size: float) -> Float32:
    return 6.0 * (smooth_noise(rng, height, width, size * 0.5) - 0.25)


_PATTERNS: Mapping[str, Callable[[np.random.Generator, int, int, float], Float32]] = {
    "tabby": _tabby, "spots": _spots, "patches": _patches,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------- coats


@dataclass(frozen=True)
class _Fur:
    """What a coat is painted from.

    Attributes:
        rng: source of all randomness.
        dog: whether the animal is a dog.
        second: (3,) float32, the coat's second colour.
        parts: part -> (height, width) float32, 1 where it is visible.
        size: of the animal in pixels.
    """

    rng: np.random.Generator
    dog: bool
    second: Float32
    parts: Mapping[str, Float32]
    size: float

    def pattern(self, kind: str, scale: float = 1.0) -> Float32:
        """Return a pattern of the picture's size."""
        height, width = self.parts["body"].shape
        return pattern(self.rng, kind, height, width, self.size * scale)


def coat(rng: np.random.Generator, breed: Breed, solid: Solid, size: float) -> Float32:
    """Return the coat's colours before shading, (height, width, 3) float32.

    Args:
        rng: source of all randomness.
        breed: whose coat.
        solid: the animal's shape.
        size: of the animal in pixels.
    """
    jitter = rng.normal(0.0, 7.0) + rng.normal(0.0, 3.0, 3)
    base = np.clip(np.asarray(breed.base) + jitter, 12, 245).astype(np.float32)
    second = np.clip(np.asarray(breed.second) + jitter, 12, 245).astype(np.float32)
    parts = {name: (solid.part == index).astype(np.float32) for index, name in enumerate(PARTS)}
    colours = np.broadcast_to(base, (*solid.part.shape, 3)).astype(np.float32)
    colours = _COATS[breed.pattern](_Fur(rng, breed.animal == "dog", second, parts, size), colours)
    return mix(colours, _SKIN, 0.8 * parts["inner"])


def _plain_coat(fur: _Fur, colours: Float32) -> Float32:
    return mix(colours, fur.second, 0.9 * fur.parts["ear"])


def _tabby_coat(fur: _Fur, colours: Float32) -> Float32:
    colours = mix(colours, fur.second, fur.pattern("tabby"))
    return mix(colours, _WHITE, fur.parts["muzzle"] + 0.8 * fur.parts["chest"])


def _spotted_coat(fur: _Fur, colours: Float32) -> Float32:
    colours = mix(colours, fur.second, fur.pattern("spots"))
    return mix(colours, fur.second, 0.85 * fur.parts["ear"]) if fur.dog else colours


def _patched_coat(fur: _Fur, colours: Float32) -> Float32:
    colours = mix(colours, fur.second, fur.pattern("patches"))
    return mix(colours, _BLACK, fur.pattern("patches", 0.8))


def _pointed_coat(fur: _Fur, colours: Float32) -> Float32:
    of = fur.parts
    return mix(colours, fur.second, of["ear"] + of["muzzle"] + of["tailtip"] + 0.8 * of["paw"])


def _tuxedo_coat(fur: _Fur, colours: Float32) -> Float32:
    return mix(colours, fur.second, fur.parts["chest"] + fur.parts["paw"] + fur.parts["muzzle"])


def _masked_coat(fur: _Fur, colours: Float32) -> Float32:
    of = fur.parts
    return mix(colours, fur.second, of["chest"] + of["paw"] + of["muzzle"] + 0.9 * of["leg"])


def _saddled_coat(fur: _Fur, colours: Float32) -> Float32:
    of = fur.parts
    height, width = of["body"].shape
    dark = np.clip(4.0 * (smooth_noise(fur.rng, height, width, fur.size * 0.6) + 0.4), 0.0, 1.0)
    colours = mix(colours, fur.second, dark * (of["body"] + of["tail"]))
    return mix(colours, _WHITE, of["chest"] + of["paw"] + of["muzzle"] + of["tailtip"])


_COATS: Mapping[str, Callable[[_Fur, Float32], Float32]] = {
    "plain": _plain_coat, "tabby": _tabby_coat, "spots": _spotted_coat, "patches": _patched_coat,
    "points": _pointed_coat, "tuxedo": _tuxedo_coat, "mask": _masked_coat, "saddle": _saddled_coat,
}  # fmt: skip
