"""What the smoke tests at real size share: folders that do not pile up, and room for one large network at a time."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from filelock import FileLock


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Give a folder that is removed after the module: weights of gigabytes are not kept, as `tmp_path` would."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    """Give the empty folder for the competition's files."""
    made = folder / "data"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let one module of all processes hold a large network; skip it where less memory is free than its `GIGABYTES`."""
    with FileLock(tmp_path_factory.getbasetemp().parent / "large_network.lock"):
        gc.collect()
        free, needed = psutil.virtual_memory().available / 1e9, request.module.GIGABYTES
        if free < needed:
            pytest.skip(f"{free:.1f} GB of memory are free; the network at its real size needs {needed} GB")
        yield
        gc.collect()  # what the module's other fixtures held is gone by now
