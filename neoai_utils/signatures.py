"""What a file is, by its first bytes: a download that failed or an archive often bears another file's name."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

__all__ = ["is_safetensors", "stranger"]

_COPY, _UNPACK = "Copy the right file", "Unpack it"
_PAGE = ("a web page, such as one that asks to log in", "Download the file itself")
_STARTS = {  # first bytes -> what the file is, what to do
    b"version https://git-lfs.github.com/spec/": ("a Git LFS pointer, not the file itself", "Fetch it: git lfs pull"),
    b"<!doctype html": _PAGE, b"<html": _PAGE, b"<head": _PAGE, b"<body": _PAGE,
    b"pk\x05\x06": ("an empty ZIP archive", _COPY),
    b"\x1f\x8b": ("packed by gzip", _UNPACK), b"bzh": ("packed by bzip2", _UNPACK),
    b"\xfd7zxz\0": ("packed by xz", _UNPACK), b"\x28\xb5\x2f\xfd": ("packed by zstd", _UNPACK),
    b"rar!": ("a RAR archive", _UNPACK), b"7z\xbc\xaf\x27\x1c": ("a 7z archive", _UNPACK),
    b"%pdf": ("a PDF document", _COPY), b"par1": ("a Parquet table", _COPY),
    b"\x93numpy": ("a single NumPy array (.npy)", _COPY), b"\x89hdf\r\n\x1a\n": ("an HDF5 file", _COPY),
    b"sqlite format 3\0": ("an SQLite database", _COPY),
    **{bytes([0x80, version]): ("a Python pickle", _COPY) for version in (2, 3, 4, 5)},
}  # fmt: skip
_SHOWN = 4


def stranger(path: Path) -> str:
    """Return what a file is that cannot be read as what it is called, and what to do; "" if its start tells nothing.

    Call it where a reader has failed, or where a file of this kind would be read as something else: it names empty
    files, web pages, Git LFS pointers, archives and files of other formats. Without a full stop at the end.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return ""
    if head.count(0) == len(head):
        return f"it {'begins with zero bytes alone' if head else 'is empty'}. Copy the file again"
    if is_safetensors(path):
        return "it is a safetensors file. Name it so (.safetensors)"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").lower()
    if text.startswith(b"pk\x03\x04"):
        members = _members(path)
        return (
            f"it is a ZIP archive that holds {members}. {_UNPACK}" if members else f"it is half a ZIP archive. {_COPY}"
        )
    return next((f"it is {what}. {remedy}" for start, (what, remedy) in _STARTS.items() if text.startswith(start)), "")


def _members(path: Path) -> str:
    """Return the first names in a ZIP archive as text; "" for an archive that cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile):
        return ""
    return ", ".join(names[:_SHOWN]) + (" …" if len(names) > _SHOWN else "")


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors do: the length of a JSON object, then that object."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
            size = file.seek(0, 2)
    except OSError:
        return False
    return len(head) == 9 and head[8:] == b"{" and 0 < struct.unpack("<Q", head[:8])[0] <= size - 8
