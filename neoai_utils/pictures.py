"""Pictures of a folder: listed by name, and decoded as viewers show them, in 8-bit RGB.

Cameras store the pixels in the sensor's orientation and record the rotation in the EXIF data. Viewers apply it, Pillow
does not. This module applies it unless the caller asks for the stored pixels.
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

from neoai_utils.arrays import Picture
from neoai_utils.errors import DataError, first_of, warn
from neoai_utils.signatures import PICTURE, identify

__all__ = ["BROKEN", "SUFFIXES", "Header", "by_number", "by_stem", "header", "listed", "opened", "read", "turn"]

SUFFIXES = (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""Suffixes of picture files, in lower case."""

BROKEN = (
    OSError, ValueError, SyntaxError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip
"""Errors that Pillow raises for damaged files and for files that are no pictures."""

_UNREAD = (".avif", ".heic", ".heif", ".jp2", ".svg")  # picture formats that not every Pillow reads
_ORIENTATIONS = range(1, 9)


@dataclass(frozen=True)
class Header:
    """Size and orientation of a picture, read without decoding it.

    Attributes:
        stored: (height, width) of the stored pixels.
        orientation: the EXIF number, 1 to 8; 1 means no rotation and no mirroring.
    """

    stored: tuple[int, int]
    orientation: int = 1

    def size(self, *, turned: bool = True) -> tuple[int, int]:
        """Return (height, width), if `turned` after the rotation; orientations 5 to 8 exchange the two."""
        return self.stored[::-1] if turned and self.orientation >= 5 else self.stored


def listed(folder: Path) -> tuple[Path, ...]:
    """Return the pictures of a folder, recognised by their suffixes in any case, sorted by name; no file is opened.

    Hidden files such as `._x.jpg`, folders and other files are left out. If the folder holds no picture but a folder of
    its own name, as an archive unpacked twice does, the pictures of the inner folder are returned.

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
        listing = ", ".join(path.name for path in entries[:8]) or "nothing"
        raise DataError(f"{folder} holds no picture; found: {listing}. Copy the pictures there, as .jpg or .png.")
    if unread := [path for path in entries if path.suffix.lower() in _UNREAD]:
        warn(f"{first_of(unread)}: pictures of this format are left out. Save them as JPEG or PNG.")
    return paths


def by_number(paths: Iterable[Path]) -> dict[int, Path]:
    """Return number -> picture, ascending, for pictures whose names are integers.

    Raises:
        DataError: a name is no integer, or two names are the same integer, such as 7.jpg and 07.png.
    """
    by_name: dict[int, Path] = {}
    for path in paths:
        if not path.stem.isdecimal():
            raise DataError(f"{path}: a test picture's name must be a whole number, as in 17.jpg. Rename or remove it.")
        if (first := by_name.setdefault(int(path.stem), path)) != path:
            raise DataError(f"{path} and {first.name} have the same number {int(path.stem)}. Remove one of them.")
    return dict(sorted(by_name.items()))


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """Return name without suffix, in lower case -> picture, in the given order.

    Raises:
        DataError: the names of two pictures differ in suffix and case only, such as a.jpg and A.png.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        if (first := by_name.setdefault(path.stem.casefold(), path)) != path:
            raise DataError(f"{path} and {first.name} differ in their ends or letters' case only. Remove one of them.")
    return by_name


@contextmanager
def opened(path: Path, what: str = "picture") -> Iterator[Image.Image]:
    """Open a file with Pillow during the `with` block; errors of Pillow in the block become `DataError`.

    Args:
        path: the file.
        what: name of its content, for messages.

    Raises:
        DataError: the file is missing, damaged, too large, or of another format, which the message names.
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
            image.load()  # Pillow rotates TIFF files while loading
        return Header((image.height, image.width), _orientation(image))


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # rotated by Pillow
    try:
        number = image.getexif().get(ExifTags.Base.Orientation, 1)
    except BROKEN:
        return 1
    return number if number in _ORIENTATIONS else 1


def read(path: Path, *, turned: bool = True) -> Picture:
    """Decode a picture.

    Grey becomes three equal channels. 16-bit and floating-point grey is scaled to 0..255, not clipped. Transparent
    pixels become white; if all pixels are transparent, their colours are used. Of an animation the first frame is read.

    Args:
        path: the file.
        turned: apply the rotation of the EXIF data; False: return the stored pixels.

    Returns:
        (height, width, 3) uint8, RGB.

    Raises:
        DataError: the file cannot be decoded, or a grey value is negative, infinite or NaN; the message names its
            position.
    """
    with opened(path) as image:
        image.load()
        if turned:
            turn(image)
        if image.mode[0] in "IF":
            return np.repeat(_to_bytes(np.asarray(image), path)[..., None], 3, axis=2)
        return np.asarray(_on_white(image) if image.has_transparency_data else image.convert("RGB"))


def turn(image: Image.Image) -> None:
    """Apply the rotation of the EXIF data to a loaded picture, in place; damaged EXIF data are ignored."""
    if _orientation(image) != 1:
        image.info.pop("exif", None)  # else Pillow rewrites the EXIF data, which fails for those of some cameras
        ImageOps.exif_transpose(image, in_place=True)


def _on_white(image: Image.Image) -> Image.Image:
    layered = image.convert("RGBA")
    least, most = layered.getchannel("A").getextrema()
    if least == 255 or most == 0:
        return layered.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")


def _to_bytes(values: NDArray[np.generic], path: Path) -> Picture:
    """Return grey values (height, width) of any numeric type, scaled to (height, width) uint8."""
    numbers = values.astype(np.float64)
    invalid = ~np.isfinite(numbers) | (numbers < 0)
    if invalid.any():
        row, column = np.argwhere(invalid)[0]
        raise DataError(
            f"{path}: the grey value in row {row}, column {column} is {numbers[row, column]:g}. "
            "Save the picture with whole numbers from 0 to 255."
        )
    most = numbers.max()
    if most > 2**16 - 1:
        raise DataError(f"{path}: a grey value of {most:g} has more than 16 bits. Save the picture with 8 bits.")
    white = 1.0 if values.dtype.kind == "f" and most <= 1 else 255.0 if most <= 255 else 2.0**16 - 1
    return np.asarray(np.rint(numbers * (255 / white)), dtype=np.uint8)
