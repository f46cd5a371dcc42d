"""The pictures of a folder: which files they are, and each as a viewer shows it, in 8-bit RGB.

Cameras store a picture as the sensor lay and note in its EXIF data how to turn it; viewers and drawing programs turn
it, Pillow does not. Here pictures are turned unless the caller says otherwise.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from neoai_utils.errors import DataError, first_of, warn
from neoai_utils.signatures import PICTURE, identify

__all__ = ["BROKEN", "SUFFIXES", "Header", "by_number", "by_stem", "header", "listed", "opened", "read", "turn"]

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""What names of pictures end in, in small letters."""

BROKEN = (
    OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for files that are damaged or no pictures."""

_UNREAD = (".avif", ".heic", ".heif", ".jp2", ".svg")  # pictures, but not of a format that every Pillow reads
_UPRIGHT = range(1, 9)

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Header:
    """What a picture's file says of itself before it is decoded.

    Attributes:
        stored: (height, width) of the stored pixels.
        orientation: EXIF's number, 1 to 8; 1 means that stored pixels are shown as they are.
    """

    stored: tuple[int, int]
    orientation: int = 1

    def size(self, *, turned: bool = True) -> tuple[int, int]:
        """Return (height, width) of the picture, turned as a viewer turns it (5 to 8 lay it on its side) or not."""
        return self.stored[::-1] if turned and self.orientation >= 5 else self.stored


def listed(folder: Path) -> tuple[Path, ...]:
    """Return a folder's pictures by their names' ends (no matter the case), sorted by name; none is opened.

    Hidden files such as `._x.jpg`, folders and other files are left out. Where a folder holds nothing but a folder of
    its own name, as archives unpacked twice leave it, the inner one is meant.

    Raises:
        DataError: the folder does not exist or holds no picture.
    """
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist. Copy the competition's files again.")
    entries = sorted((p for p in folder.iterdir() if not p.name.startswith(".")), key=lambda path: path.name)
    paths = tuple(path for path in entries if path.suffix.lower() in SUFFIXES and path.is_file())
    inner = folder / folder.name
    if not paths and inner.is_dir():
        warn(f"{folder} holds no picture but a folder of the same name; that one is read.")
        return listed(inner)
    if not paths:
        found = ", ".join(path.name for path in entries[:8]) or "nothing"
        raise DataError(f"{folder} holds no picture; found: {found}. Copy the pictures there, as .jpg or .png.")
    if unread := [path for path in entries if path.suffix.lower() in _UNREAD]:
        warn(f"{first_of(unread)}: pictures of this format are left out. Save them as JPEG or PNG.")
    return paths


def by_number(paths: Iterable[Path]) -> dict[int, Path]:
    """Return number -> picture, ascending, for pictures whose names are whole numbers.

    Raises:
        DataError: a name is no whole number, or two names are the same number, such as 7.jpg and 07.png.
    """
    found: dict[int, Path] = {}
    for path in paths:
        if not path.stem.isdecimal():
            raise DataError(f"{path}: a test picture's name must be a whole number, as in 17.jpg. Rename or remove it.")
        if (first := found.setdefault(int(path.stem), path)) != path:
            raise DataError(f"{path} and {first.name} have the same number {int(path.stem)}. Remove one of them.")
    return dict(sorted(found.items()))


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Return name without its end, in small letters -> picture, in the given order.

    Raises:
        DataError: two pictures have one name but for its end and its case, such as a.jpg and A.png.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if (first := found.setdefault(path.stem.casefold(), path)) != path:
            raise DataError(f"{path} and {first.name} differ in their ends or letters' case only. Remove one of them.")
    return found


@contextmanager
def opened(path: Path, what: str = "picture") -> Iterator[Image.Image]:
    """Open a file with Pillow while the block runs; whatever Pillow finds wrong is told in one form.

    Raises:
        DataError: the file is missing, or what is in it is no `what`, damaged or too large; says what it is instead.
    """
    try:
        with Image.open(path) as image:
            yield image
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Copy the competition's files again.") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"{path} does not decode as a {what}: {error} Copy it again, or scale it down.") from error
    except BROKEN as error:
        reason = identify(path, (PICTURE,)) if isinstance(error, UnidentifiedImageError) else ""
        reason = reason or f"{str(error) or type(error).__name__}. Copy the file again"
        raise DataError(f"{path} does not decode as a {what}: {reason}.") from error


def header(path: Path) -> Header:
    """Return a picture's size and orientation without decoding it.

    Raises:
        DataError: the file is no picture.
    """
    with opened(path) as image:
        if image.format == "TIFF":
            image.load()  # when Pillow turns it
        return Header((image.height, image.width), _orientation(image))


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns it by itself
    try:
        number = image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return number if number in _UPRIGHT else 1


def read(path: Path, *, turned: bool = True) -> Picture:
    """Decode a picture, (height, width, 3) uint8 RGB.

    Grey becomes three equal channels; 16-bit grey and numbers with fractions are scaled to 0..255, not cut. What is
    transparent shows white, as on a page (unless all of it is transparent: then the colours count). Of moving pictures
    the first is taken.

    Args:
        path: the file.
        turned: turn the picture as its EXIF data say; False: leave it as it is stored.

    Raises:
        DataError: naming the file, what is wrong with it, and where a number is no number.
    """
    with opened(path) as image:
        image.load()
        if turned:
            turn(image)
        if image.mode[0] in "IF":
            return np.repeat(_to_bytes(np.asarray(image), path)[..., None], 3, axis=2)
        return np.asarray(_on_white(image) if image.has_transparency_data else image.convert("RGB"))


def turn(image: Image.Image) -> None:
    """Turn a loaded picture in place as its EXIF data say; damaged EXIF data say nothing."""
    if _orientation(image) != 1:
        image.info.pop("exif", None)  # else Pillow writes the data anew, which fails with those of some cameras
        ImageOps.exif_transpose(image, in_place=True)


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    least, most = layered.getchannel("A").getextrema()
    if least == 255 or most == 0:
        return layered.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")


def _to_bytes(values: NDArray[np.generic], path: Path) -> Picture:
    """Return grey values (height, width) of more than eight bits as 0..255."""
    numbers = values.astype(np.float64)
    strange = ~np.isfinite(numbers) | (numbers < 0)
    if strange.any():
        row, column = np.argwhere(strange)[0]
        raise DataError(
            f"{path}: the grey value in row {row}, column {column} is {numbers[row, column]:g}. "
            "Save the picture with whole numbers from 0 to 255."
        )
    most = numbers.max()
    if most > 2**16 - 1:
        raise DataError(f"{path}: a grey value of {most:g} has more than 16 bits. Save the picture with 8 bits.")
    white = 1.0 if values.dtype.kind == "f" and most <= 1 else 255.0 if most <= 255 else 2.0**16 - 1
    return np.asarray(np.rint(numbers * (255 / white)), dtype=np.uint8)
