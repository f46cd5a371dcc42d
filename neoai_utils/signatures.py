"""File formats, recognised by their first bytes: a failed download or an archive often has another file's name."""

from __future__ import annotations

import codecs
import re
import struct
import zipfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "EXCEL", "GZIP", "HEAD", "PICKLE", "PICTURE", "TORCH", "ZIP_START", "Format", "format_of", "identify",
    "is_safetensors", "zip_format",
]  # fmt: skip

HEAD = 4096
"""Number of bytes from which `format_of` recognises every format."""


@dataclass(frozen=True)
class Format:
    """A file format and what to do with a file of this format that should have another one.

    Attributes:
        name: the format in a sentence: "a.csv is `name`".
        remedy: instruction for the user, without its full stop.
    """

    name: str
    remedy: str = "Copy the right file"


_CSV, _UNPACK = "Write the table as CSV, or copy the right file", "Unpack it and put the file in its place"
EXCEL = Format("an Excel workbook", _CSV)
GZIP = Format("packed by gzip", _UNPACK)
PICKLE = Format("a Python pickle")
PICTURE = Format("a picture")
TORCH = Format("a file of torch.save")
ZIP_START = b"PK\x03\x04"
"""First bytes of a ZIP archive with members; `zip_format` tells the formats that begin so apart."""

_FORMATS = {  # first bytes -> format
    b"version https://git-lfs.github.com": Format(
        "a Git LFS pointer, not the file itself", "Fetch the file with `git lfs pull`"
    ),
    b"PK\x05\x06": Format("an empty ZIP archive"),
    b"\x1f\x8b": GZIP,
    **{b"BZh%d" % level: Format("packed by bzip2", _UNPACK) for level in range(1, 10)},
    b"\xfd7zXZ\0": Format("packed by xz", _UNPACK),
    b"\x28\xb5\x2f\xfd": Format("packed by zstd", _UNPACK),
    b"Rar!\x1a\x07": Format("a RAR archive", _UNPACK),
    b"7z\xbc\xaf\x27\x1c": Format("a 7z archive", _UNPACK),
    b"PAR1": Format("a Parquet file", _CSV),
    b"\xd0\xcf\x11\xe0": EXCEL,
    b"%PDF-": Format("a PDF document"),
    b"\x89PNG": PICTURE,
    b"\xff\xd8\xff": PICTURE,
    b"\x93NUMPY": Format("a single NumPy array (.npy)"),
    b"\x89HDF\r\n\x1a\n": Format("an HDF5 file"),
    b"SQLite format 3\0": Format("an SQLite database"),
    **{bytes([0x80, version]): PICKLE for version in (2, 3, 4, 5)},
}
_PAGE = Format(
    "a web page (HTML or XML), probably an error or a sign-in page that was saved in place of the file",
    "Sign in and download the file again",
)
_PAGE_START = re.compile(rb"\s*(?:<!--.*?-->\s*)?(?:<\?xml[^>]*>\s*)?<(?:!doctype|html|head|body|error)\b", re.I | re.S)
_LISTED = 4  # members of a ZIP archive that a message names


def format_of(head: bytes) -> Format | None:
    """Return a file's format; None for a ZIP archive with members, for text and for unknown formats.

    Args:
        head: the first `HEAD` bytes of the file, or all of a shorter one.
    """
    if _PAGE_START.match(head.removeprefix(codecs.BOM_UTF8)):
        return _PAGE
    return next((form for start, form in _FORMATS.items() if head.startswith(start)), None)


def identify(path: Path, expected: Collection[Format] = ()) -> str:
    """Return what a file is, and a remedy, for the message of a reader that cannot read it.

    Args:
        path: the file.
        expected: formats that the reader reads. A file in one of them is damaged, not mistaken for another.

    Returns:
        A sentence and an instruction without the last full stop, such as "it is empty. Copy the file again"; "" for an
        expected or unknown format and for a file that cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError:
        return ""
    if not head:
        return "it is empty. Copy the file again"
    if head.count(0) == len(head):
        return "it begins with zero bytes alone. Copy the file again"
    if is_safetensors(path):
        return "it is a safetensors file. Name it so (.safetensors)"
    recognised = _opened_zip_format(path) if head.startswith(ZIP_START) else format_of(head)
    return "" if recognised is None or recognised in expected else f"it is {recognised.name}. {recognised.remedy}"


def _opened_zip_format(path: Path) -> Format:
    try:
        with zipfile.ZipFile(path) as archive:
            return zip_format(archive.namelist())
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return Format("half a ZIP archive")


def zip_format(members: Sequence[str]) -> Format:
    """Return the format of a ZIP archive with these members; the name of a plain archive lists the first of them."""
    if any(member.endswith("/data.pkl") for member in members):
        return TORCH
    if "[Content_Types].xml" in members:  # Office Open XML
        return EXCEL
    listing = ", ".join(members[:_LISTED]) + (" …" if len(members) > _LISTED else "") or "nothing"
    return Format(f"a ZIP archive that holds {listing}", _UNPACK)


def is_safetensors(path: Path) -> bool:
    """Return whether a file starts like the safetensors format: the length of a JSON object, then that object."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
            size = file.seek(0, 2)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and 0 < struct.unpack("<Q", head[:8])[0] <= size - 8
