"""Atomic writes, locks, checksums, and the cache folder.

Results (a miniature, downloaded weights, a submission) are written under a temporary name beside the target and renamed
when they are complete: a rename within one file system is atomic (POSIX `rename(2)`; `os.replace` in Python). A process
that is killed before leaves the target as it was.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neoai_utils.errors import DataError, NeoaiError

__all__ = [
    "MANIFEST",
    "alone",
    "atomic_folder",
    "atomic_path",
    "cache_dir",
    "copy_folder",
    "make_folder",
    "read_archive",
    "sha256_of",
    "verify_manifest",
    "write_manifest",
]

MANIFEST = "checksums.json"
"""Name of the file with the checksums of a folder."""

_DISK_FULL = 2**16  # free bytes below which a disk counts as full


def cache_dir() -> Path:
    """Return the cache folder: `$NEOAI_CACHE`, else the user's cache folder.

    For a user without home folder (some containers, the user `nobody`) it lies in the system's temporary directory.
    """
    variable = os.environ.get("NEOAI_CACHE")
    if variable:
        return Path(variable).expanduser()
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("neoai", appauthor=False))
    if folder.is_absolute() and "~" not in folder.parts and ("XDG_CACHE_HOME" in os.environ or Path.home().is_dir()):
        return folder
    return Path(tempfile.gettempdir()) / "neoai-cache"


def make_folder(folder: Path) -> Path:
    """Create a folder and its parents, and return it; raise `NeoaiError` with the reason if this fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NeoaiError(
            f"cannot create the folder {folder}: {error.strerror or error}. "
            "Choose a writable one (notebook parameter out_dir, or NEOAI_CACHE for the cache)."
        ) from error
    return folder


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file during the `with` block; other processes wait. The system releases it if the process is killed.

    Raises:
        NeoaiError: the folder cannot be written.
    """
    from filelock import FileLock

    file_lock = FileLock(make_folder(lock.parent) / lock.name)
    try:
        file_lock.acquire()
    except OSError as error:
        raise NeoaiError(
            f"cannot write in {lock.parent}: {error.strerror or error}. "
            "Choose a writable folder (--outputs or out_dir for outputs, NEOAI_CACHE for the cache)."
        ) from error
    try:
        yield
    finally:
        file_lock.release()


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to `target` after the block, remove it after an error.

    Raises:
        NeoaiError: the folder is not writable or the disk is full; `target` keeps its old content.
    """
    make_folder(target.parent)
    temporary = target.parent / f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.part"
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(target)
    except Exception as error:
        _explain(error, target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill; rename it to `target` after the block, remove it after an error.

    If another process has created `target` meanwhile, its result is kept.

    Raises:
        NeoaiError: the parent folder is not writable or the disk is full.
    """
    make_folder(target.parent)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent))
    except OSError as error:
        raise NeoaiError(f"cannot write in {target.parent}: {error.strerror or error}.") from error
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())  # mkdtemp sets 0700, which would exclude other users of a shared cache
        try:
            temporary.replace(target)
        except OSError:
            if not target.is_dir():
                raise
    except Exception as error:
        _explain(error, target)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _explain(error: Exception, target: Path) -> None:
    """Raise `NeoaiError` if writing failed because of the disk.

    On a full disk torch and safetensors raise other errors than OSError, so the free space is checked as well.
    """
    if isinstance(error, NeoaiError):
        return
    full = shutil.disk_usage(target.parent).free < _DISK_FULL
    if isinstance(error, OSError) or full:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise NeoaiError(
            f"cannot write {target}: {reason}{' (the disk is full)' if full else ''}. Nothing was changed; "
            "free some space or choose another output folder (NEOAI_CACHE for the cache)."
        ) from error


def _umask() -> int:
    """Return the process's umask; the system only returns it when a new one is set."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def copy_folder(folder: Path, target: Path) -> None:
    """Copy a folder to `target`, which must not exist or be empty.

    Raises:
        NeoaiError: the target holds files already, or cannot be written.
    """
    if target.is_dir() and any(target.iterdir()):
        raise NeoaiError(f"{target} is not empty; choose a new folder.")
    make_folder(target.parent)
    if target.is_dir():
        target.rmdir()
    with atomic_folder(target) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)


def read_archive(path: Path, sha256: str) -> dict[str, bytes]:
    """Return name -> content of the members of a committed ZIP archive, sorted by name.

    Args:
        path: the archive.
        sha256: its SHA-256, 64 hexadecimal digits.

    Raises:
        DataError: the archive is missing or has another SHA-256.
    """
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DataError(
            f"{path} is missing or damaged: its SHA-256 is not {sha256[:12]}… Install neoai_utils anew; an uploaded "
            "notebook carries no miniature's data, so add the competition's files to its input."
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist())}


def write_manifest(folder: Path) -> None:
    """Write `checksums.json` into a folder: relative path -> SHA-256, for each file below it."""
    sums = {path.relative_to(folder).as_posix(): sha256_of(path) for path in _files_below(folder)}
    with atomic_path(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(sums, indent=1), encoding="utf-8")


def verify_manifest(folder: Path) -> None:
    """Compare a folder with its `checksums.json`.

    Raises:
        DataError: the manifest is missing or unreadable, or a file is missing, extra or changed.
    """
    try:
        expected = dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{folder} has no readable {MANIFEST}: {error}") from error
    present = {path.relative_to(folder).as_posix() for path in _files_below(folder)}
    for name in sorted(set(expected) ^ present):
        raise DataError(f"{folder}: {name} is {'missing' if name in expected else 'unexpected'}")
    for name, checksum in expected.items():
        if sha256_of(folder / name) != checksum:
            raise DataError(f"{folder}: {name} was changed or is damaged")
