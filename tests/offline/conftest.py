"""A package index in a folder: pip itself reads wheels from it, without a network."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neoai_utils.offline import ASSETS, Asset


@dataclass
class LocalIndex:
    """Wheels in `folder`; `assets` is the folder of the cache that they are fetched into."""

    folder: Path
    assets: Path
    monkeypatch: pytest.MonkeyPatch

    def publish(
        self, files: dict[str, bytes], *, tag: str = "py3-none-any", metadata: str = "", folder: Path | None = None
    ) -> Path:
        """Write the wheel of the package neoai-toy 1.0 with `files` in it."""
        wheel = (folder or self.folder) / f"neoai_toy-1.0-{tag}.whl"
        info = "neoai_toy-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: neoai-toy\nVersion: 1.0\n{metadata}")
            archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
            archive.writestr(f"{info}/RECORD", "")
        return wheel

    def pin(self, files: dict[str, bytes], **others: Any) -> Asset:
        """Make `fetch("toy")` want these `files` below the folder toy of the package."""
        members = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        asset = Asset("toy", "neoai-toy", "1.0", "toy", members, size=2_345_678, licence="CC0-1.0", **others)
        self.monkeypatch.setitem(ASSETS, "toy", asset)
        return asset

    def leftovers(self) -> list[str]:
        """Return the names of everything in the cache but its lock files."""
        return sorted(path.name for path in self.assets.glob("*") if path.suffix != ".lock")


@pytest.fixture
def index(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> LocalIndex:
    """Give pip an empty local index, no network and no configuration of the machine's."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return LocalIndex(folder, cache / "assets", monkeypatch)
