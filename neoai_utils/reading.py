"""Text files as they really come: packed, in another encoding, or no text at all.

`read_text` is the one way in which the library reads a competition's tables and texts. UTF-8 is expected. What can be
read without a doubt is read with a warning; what is something else is called by its name.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path

from neoai_utils import errors
from neoai_utils.errors import DataError

__all__ = ["read_text"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_TEXT = (
    (
        b"version https://git-lfs.github.com",
        "a pointer of Git LFS, not the file itself",
        "Fetch it with `git lfs pull`",
    ),
    (b"PAR1", "a Parquet file", "Write it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV"),
    (b"%PDF-", "a PDF", "Copy the right file"),
    (b"\x89PNG", "a picture", "Copy the right file"),
    (b"\xff\xd8\xff", "a picture", "Copy the right file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and put the file in its place"),
    (b"Rar!", "a RAR archive", "Unpack it and put the file in its place"),
    (b"BZh", "packed by bzip2", "Unpack it and put the file in its place"),
    (b"\xfd7zXZ", "packed by xz", "Unpack it and put the file in its place"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd", "Unpack it and put the file in its place"),
)
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)?(?:<\?xml[^>]*>\s*)?<(?:!doctype|html|head|body|error)\b", re.I | re.S)
_LARGEST = 1 << 31
_SEVERAL = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})")
_RUN = re.compile(rb"[\xa8\xb8\xc0-\xff]{3,}")


def read_text(path: Path, *, exact: bool = False) -> str:
    """Return the text of a file, without a byte order mark; its line ends are left as they are.

    Args:
        path: the file. UTF-16, Windows-1252 and Windows-1251 are read with a warning, and so is a single file packed
            by gzip or zip.
        exact: refuse these too, for a file that others must read as it is.

    Raises:
        DataError: the file is missing, damaged, or no text (what it is instead is named).
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}. Copy the file again.") from error
    data = _unpacked(path, data, exact)
    for start, kind, remedy in _NO_TEXT:
        if data.startswith(start):
            raise DataError(f"{path} is {kind}. {remedy}.")
    if _PAGE.match(data[:4096].removeprefix(codecs.BOM_UTF8)):
        raise DataError(
            f"{path} is a web page (HTML or XML), probably an error or a sign-in page that was saved in place of the "
            "file. Sign in and download the file again."
        )
    return _decoded(path, data, exact)


def _odd(path: Path, what: str, assumed: str, remedy: str, exact: bool) -> None:
    """Tell that a file is unusual: by a warning, or by an error where it must be exact."""
    if exact:
        raise DataError(f"{path} {what}. {remedy}.")
    errors.warn(f"{path} {what}; {assumed}.")


def _unpacked(path: Path, data: bytes, exact: bool) -> bytes:
    """Return the content of an archive that holds one file, and other data as it is."""
    remedy = "Unpack it and put the file in its place"
    try:
        if data.startswith(b"\x1f\x8b"):
            with gzip.open(io.BytesIO(data)) as file:
                content = file.read(_LARGEST + 1)
            name = "packed by gzip"
        elif data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                member = _only_member(path, archive)
                with archive.open(member) as file:
                    content = file.read(_LARGEST + 1)
            name = f"a zip archive that holds {member}"
        else:
            return data
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is a damaged or locked archive: {error}. Copy it again and unpack it.") from error
    if len(content) > _LARGEST:
        raise DataError(f"{path} is {name} and holds more than {_LARGEST >> 30} GiB. {remedy}.")
    _odd(path, f"is {name}", "unpacked", remedy, exact)
    return content


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
    if "[Content_Types].xml" in names:
        raise DataError(f"{path} is an Excel workbook. Save it as CSV.")
    same = [name for name in names if name.rpartition("/")[2] == path.name]
    if len(same or names) != 1:
        held = ", ".join(names[:8]) or "nothing"
        raise DataError(f"{path} is a zip archive that holds {held}. Unpack it and put the right file in its place.")
    return (same or names)[0]


def _decoded(path: Path, data: bytes, exact: bool) -> str:
    mark, encoding = next(((mark, name) for mark, name in _BOMS if data.startswith(mark)), (b"", "utf-8"))
    if not mark and data[1::2][:500].count(0) > len(data[:1000]) / 4:
        encoding = "utf-16-le"
    elif not mark and data[::2][:500].count(0) > len(data[:1000]) / 4:
        encoding = "utf-16-be"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise DataError(f"{path} is damaged: {error}. Copy the file again.") from error
        return _one_byte(path, data, error, exact)
    if encoding != "utf-8":
        _odd(path, f"is in {encoding.upper()}, not in UTF-8", "read so", "Write it as UTF-8", exact)
    return text.removeprefix("\ufeff")


def _one_byte(path: Path, data: bytes, error: UnicodeDecodeError, exact: bool) -> str:
    """Decode what is no UTF-8 as Windows-1251 where letters above ASCII stand in a row, else as Windows-1252."""
    line = data.count(b"\n", 0, error.start) + 1
    high = sum(byte >= 0x80 for byte in data)
    damaged = DataError(
        f"{path} cannot be read as UTF-8 text: line {line}, byte {data[error.start]:#04x}. "
        "Copy the file again, or write it as UTF-8."
    )
    if sum(map(len, _SEVERAL.findall(data))) > high / 2:
        raise damaged from error  # UTF-8 that was damaged here and there
    cyrillic = sum(map(len, _RUN.findall(data))) > high / 2
    try:
        text = data.decode(encoding := "cp1251" if cyrillic else "cp1252")
    except UnicodeDecodeError:
        raise damaged from error
    name = f"Windows-{encoding.removeprefix('cp')}"
    _odd(path, f"is no UTF-8 (line {line})", f"read as {name}", "Write it as UTF-8", exact)
    return text
