"""Text files, also packed ones and such in another encoding than UTF-8.

All tables and texts of a competition are read by `read_text`. It expects UTF-8. A file that can be read without
ambiguity is read with a warning; for a file of another format the error names the format.
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
from neoai_utils.signatures import EXCEL, GZIP, HEAD, ZIP_START, format_of, zip_format

__all__ = ["read_text"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is the beginning of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAX_BYTES = 1 << 31  # of an unpacked file
# a character of several bytes in UTF-8
_MULTIBYTE = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})")
# letters of Windows-1251 in a row; in Windows-1252 they are accented letters, which stand alone
_CYRILLIC = re.compile(rb"[\xa8\xb8\xc0-\xff]{3,}")


def read_text(path: Path, *, exact: bool = False) -> str:
    """Return the text of a file without its byte order mark; line ends are not changed.

    Args:
        path: the file. UTF-16, Windows-1252, Windows-1251, and a single file packed by gzip or ZIP are read with a
            warning.
        exact: refuse these, because other programs must read the file too.

    Raises:
        DataError: the file is missing, damaged, or no text; the message names its format.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}. Copy the file again.") from error
    data = _unpacked(path, data, exact)
    if (other := format_of(data[:HEAD])) is not None:
        raise DataError(f"{path} is {other.name}. {other.remedy}.")
    return _decoded(path, data, exact)


def _report(path: Path, problem: str, handling: str, remedy: str, exact: bool) -> None:
    """Report an unusual file: as an error with the remedy if `exact`, else as a warning with what was done."""
    if exact:
        raise DataError(f"{path} {problem}. {remedy}.")
    errors.warn(f"{path} {problem}; {handling}.")


def _unpacked(path: Path, data: bytes, exact: bool) -> bytes:
    """Return the content of an archive with one member; data that is no archive is returned unchanged."""
    try:
        if format_of(data[:HEAD]) is GZIP:
            with gzip.open(io.BytesIO(data)) as file:
                content = file.read(_MAX_BYTES + 1)
            name = GZIP.name
        elif data.startswith(ZIP_START):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                member = _only_member(path, archive)
                with archive.open(member) as file:
                    content = file.read(_MAX_BYTES + 1)
            name = f"a ZIP archive that holds {member}"
        else:
            return data
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path} is a damaged or locked archive: {error}. Copy it again and unpack it.") from error
    if len(content) > _MAX_BYTES:
        raise DataError(f"{path} is {name} and holds more than {_MAX_BYTES >> 30} GiB. {GZIP.remedy}.")
    _report(path, f"is {name}", "unpacked", GZIP.remedy, exact)
    return content


def _only_member(path: Path, archive: zipfile.ZipFile) -> str:
    """Return the only member, or the only one with the archive's file name.

    Raises:
        DataError: there is none, there are several, or the archive is an Excel workbook.
    """
    names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
    if zip_format(names) is EXCEL:
        raise DataError(f"{path} is {EXCEL.name}. {EXCEL.remedy}.")
    names = [name for name in names if name.rpartition("/")[2] == path.name] or names
    if len(names) != 1:
        listing = ", ".join(names[:8]) or "nothing"
        raise DataError(f"{path} is a ZIP archive that holds {listing}. Unpack it and put the right file in its place.")
    return names[0]


def _decoded(path: Path, data: bytes, exact: bool) -> str:
    """Decode by the byte order mark; without one as UTF-16 if every second byte is mostly zero, else as UTF-8."""
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
        return _decoded_by_bytes(path, data, error, exact)
    if encoding != "utf-8":
        _report(path, f"is in {encoding.upper()}, not in UTF-8", "read so", "Write it as UTF-8", exact)
    return text.removeprefix("\ufeff")


def _decoded_by_bytes(path: Path, data: bytes, error: UnicodeDecodeError, exact: bool) -> str:
    """Decode text that is not UTF-8: as Windows-1251 if most letters above ASCII stand in a row, else Windows-1252."""
    line = data.count(b"\n", 0, error.start) + 1
    high = sum(byte >= 0x80 for byte in data)
    damaged = DataError(
        f"{path} cannot be read as UTF-8 text: line {line}, byte {data[error.start]:#04x}. "
        "Copy the file again, or write it as UTF-8."
    )
    if sum(map(len, _MULTIBYTE.findall(data))) > high / 2:
        raise damaged from error  # mostly UTF-8
    cyrillic = sum(map(len, _CYRILLIC.findall(data))) > high / 2
    try:
        text = data.decode(encoding := "cp1251" if cyrillic else "cp1252")
    except UnicodeDecodeError:
        raise damaged from error
    name = f"Windows-{encoding.removeprefix('cp')}"
    _report(path, f"is no UTF-8 (line {line})", f"read as {name}", "Write it as UTF-8", exact)
    return text
