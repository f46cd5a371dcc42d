"""What the tests of whole notebooks share: an upload, played as Kaggle does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import bundle
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.miniatures import build_miniature
from neoai_utils.workspace import MINIATURE_THREADS

# what a play of the competition's own files must not say: another run's words, and values that are not there
FOREIGN = re.compile(r"\bminiature|\bnan\b|\bNone\b", re.IGNORECASE)
PAPERMILL = ("papermill", "upload.ipynb", "../done.ipynb")


def said(executed: Path) -> str:
    """Return all text that an executed notebook printed or showed, but for cells that write the library's files."""
    cells = [cell for cell in nbformat.read(executed, as_version=4).cells if not cell.source.startswith("%%writefile")]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text", "") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="session")
def play_upload(bare: Callable[[bytes, bool, Path], None]) -> Callable[..., Path]:
    """Give a function that plays what `neoai bundle` writes where the library cannot be imported.

    It takes the task, a new folder and, if need be, another Python and another command. `done.ipynb` in the folder is
    the executed notebook; the returned folder is Kaggle's for outputs.
    """

    def play(task: str, folder: Path, python: str = sys.executable, command: Sequence[str] = PAPERMILL) -> Path:
        place, working = folder / "input" / COMPETITIONS[task].slug, folder / "working"
        shutil.copytree(build_miniature(task, 0) / "data", place)
        working.mkdir()
        bare(bundle.bundle(task), bool(COMPETITIONS[task].needs.online), working / "upload.ipynb")
        host = {"KAGGLE_INPUT": str(place.parent), "KAGGLE_WORKING": str(working), "KAGGLE_KERNEL_RUN_TYPE": "Batch"}
        host["OMP_NUM_THREADS"] = str(MINIATURE_THREADS)  # bytes are compared with those of the miniature's play
        host["HF_HUB_OFFLINE"] = "1"  # task 4 would take another network from the hub than the miniature's
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-m", *command], cwd=working, env=own | host, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return working

    return play
