"""Mask files of any common format, read as animal or background.

The competition's masks are 8-bit grey PNGs of 0 and 255. Others number the classes (0 and 1, a palette, Oxford's
trimaps), store the mask in the alpha channel, or blur it slightly as JPEG does. A file with one possible meaning is
read, and the assumption is reported; any other file is refused with a list of its values.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neoai_utils import pictures
from neoai_utils.arrays import Float64, Integers, Mask, Picture
from neoai_utils.errors import DataError, first_of, warn

__all__ = ["read", "warn_of_assumptions"]

_CLOSE = 32  # grey levels by which JPEG or smoothing may change black and white
_MAX_BETWEEN = 0.05  # share of pixels that may lie between them, along the animal's edge
_CLASSES = 20  # of PASCAL VOC, whose masks mark borders by 255
_REMEDY = "Write 255 where the animal is and 0 elsewhere, as an 8-bit grey PNG."
_VOID = "255, the border, counted to the animal"


def warn_of_assumptions(assumptions: Iterable[tuple[Path, str]]) -> None:
    """Warn once of each assumption about masks, with the first file and the number of further ones.

    Args:
        assumptions: (file, the text that `read` returned).
    """
    by_text: dict[str, list[Path]] = {}
    for path, text in assumptions:
        if text:
            by_text.setdefault(text, []).append(path)
    for text, paths in by_text.items():
        warn(f"{first_of(paths)}: {text}.")


def read(path: Path, *, turned: bool = True) -> tuple[Mask, str]:
    """Return a mask, (height, width) bool, True where the animal is, and the assumption made, "" for none.

    Args:
        path: the file.
        turned: rotate it as its EXIF data say.

    Raises:
        DataError: the file is no picture, or the meaning of its values is not clear; names the values and the remedy.
    """
    with pictures.opened(path, "mask") as image:
        image.load()
        if turned:
            pictures.turn(image)
        lossy = image.format in ("JPEG", "MPO")
        if image.mode[0] in "IF":
            return _of_numbers(np.asarray(image), lossy, path)
        if image.has_transparency_data:
            layered = image.convert("RGBA")
            alpha = np.asarray(layered.getchannel("A"))
            if alpha.min() < alpha.max():
                return _of_alpha(alpha, np.asarray(layered.convert("RGB")), path)
        if image.mode == "1":
            return np.asarray(image), ""
        if image.mode == "P":
            return _of_palette(image, path)
        return _of_colours(np.asarray(image.convert("RGB")), lossy, path)


def _of_alpha(alpha: NDArray[np.uint8], colours: Picture, path: Path) -> tuple[Mask, str]:
    """Read the alpha channel, unless the colours hold another mask."""
    mask, _ = _of_numbers(alpha, True, path)
    coloured = colours.any(axis=2)
    if len(_distinct(colours)) != 2 or coloured.all():
        return mask, "the alpha channel is read as the mask, what is opaque as the animal"
    if not np.array_equal(coloured, mask):
        raise DataError(f"{path}: its colours and its alpha channel hold two different masks. {_REMEDY}")
    return mask, ""


def _of_palette(image: Image.Image, path: Path) -> tuple[Mask, str]:
    """Read two colours of which one is black; else the numbers of the colours, which are those of classes."""
    colours = _distinct(np.asarray(image.convert("RGB")))
    if len(colours) == 1 or (len(colours) == 2 and not colours.any(axis=1).all()):
        return _of_colours(np.asarray(image.convert("RGB")), False, path)
    return _of_numbers(np.asarray(image), False, path)


def _of_colours(values: Picture, lossy: bool, path: Path) -> tuple[Mask, str]:
    if np.ptp(values, axis=2).max() <= _CLOSE // 2:
        return _of_numbers(np.asarray(Image.fromarray(values).convert("L")), lossy, path)
    colours = _distinct(values)
    if len(colours) == 2 and not colours.any(axis=1).all():
        shown = "#" + bytes(colours[1]).hex()
        return np.asarray(values.any(axis=2)), f"black is read as background, the other colour ({shown}) as the animal"
    raise DataError(f"{path} is a picture of {len(colours)} colours, not a mask. {_REMEDY}")


def _distinct(values: Picture) -> NDArray[np.uint8]:
    """Return the distinct colours of (height, width, 3), black first."""
    packed = values.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    single = np.unique(packed)
    return np.stack([single >> 16, single >> 8 & 255, single & 255], axis=1).astype(np.uint8)


def _of_numbers(values: NDArray[Any], lossy: bool, path: Path) -> tuple[Mask, str]:
    """Read grey values or the numbers of classes."""
    distinct, counts = np.unique(values, return_counts=True)
    numbers = set(distinct.tolist())
    if not np.isfinite(distinct.astype(float)).all():
        raise DataError(f"{path} holds a number that is none (NaN or infinity). {_REMEDY}")
    if numbers <= {0, 255} or numbers <= {0, 65535}:
        return np.asarray(values != 0), ""
    if not lossy and numbers <= {0, 1}:
        return np.asarray(values == 1), "it holds 0 and 1 in place of 0 and 255; 1 is read as the animal"
    if not lossy and numbers <= {1, 2, 3}:
        how = "it holds 1, 2 and 3 as Oxford's trimaps do; 2 is read as background, 1 and the border 3 as the animal"
        return np.asarray(values != 2), how
    classes = numbers - {0, 255}
    if not lossy and 0 in numbers and len(classes) == 1 and 0 < max(classes) <= (_CLASSES if 255 in numbers else 65535):
        number = f"{classes.pop():g}"
        void = f", {_VOID}" if 255 in numbers else ""
        return np.asarray(values != 0), f"it holds 0 and {number}; {number} is read as the animal{void}"
    if _is_blurred(distinct.astype(float), counts, lossy):
        top = 255 if distinct[-1] <= 255 else 65535
        return np.asarray(values > top / 2), "it holds values between 0 and 255, as JPEG leaves them; cut at 128"
    shares = [f"{number:g} ({count / values.size:.0%})" for number, count in zip(distinct, counts, strict=True)]
    shown = ", ".join(shares[:6]) + (" …" if len(shares) > 6 else "")
    raise DataError(f"{path} must hold only 0 and 255, but holds {shown}. {_REMEDY}")


def _is_blurred(distinct: Float64, counts: Integers, lossy: bool) -> bool:
    """Return whether grey values are a slightly blurred black-and-white mask, not classes or a grey picture."""
    top = 255 if distinct[-1] <= 255 else 65535
    near = _CLOSE * top / 255
    between = (distinct > near) & (distinct < top - near)
    several = lossy or len(distinct) > 8 or bool(((distinct >= top - near) & (distinct < top)).any())
    return several and bool(distinct[-1] >= top - near) and float(counts[between].sum() / counts.sum()) <= _MAX_BETWEEN
