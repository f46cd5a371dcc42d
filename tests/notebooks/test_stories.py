"""Every notebook is executed as a user would: whole, with a wrong parameter, and as an upload without the answers."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from neoai_utils import headless, kaggle, storage
from neoai_utils.competitions import COMPETITIONS, find
from neoai_utils.workspace import miniature_folder

TASKS = headless.available()
ROOT = Path(__file__).resolve().parent.parent.parent
# Models of a miniature that lie neither among its files nor in an upload; on Kaggle the hub's are used.
STAND_INS = {"task3": ("neoai_utils/steering/data",)}
PAPERMILL = [sys.executable, "-m", "papermill"]


@pytest.fixture(scope="module", params=TASKS)
def played(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> headless.Play:
    """Play a notebook once for all tests of this module."""
    done = headless.play(request.param, tmp_path_factory.mktemp("outputs"))
    assert done.error is None, done.error
    return done


@pytest.mark.story
def test_ours_beats_baseline_and_published(played: headless.Play) -> None:
    found = played.results
    assert found is not None
    sign = 1 if found["higher_is_better"] else -1
    baseline, published, ours, ceiling = (sign * found[name] for name in ("baseline", "published", "ours", "ceiling"))
    assert max(baseline, published) < ours < ceiling
    assert found["data"] == "miniature"
    assert len(found["rows"]) >= 10
    assert found["submission_sha256"] == storage.sha256_of(played.folder / "submission.csv")


@pytest.mark.story
def test_the_upload_needs_neither_library_nor_answers(played: headless.Play, tmp_path: Path, monkeypatch, bare) -> None:
    """Played as on Kaggle, on the bare competition files, what `neoai bundle` writes hands in the same bytes."""
    task, place, working = played.task, tmp_path / "input" / find(played.task).slug, tmp_path / "working"
    shutil.copytree(miniature_folder(task) / "data", place)
    working.mkdir()
    for name in STAND_INS.get(task, ()):
        shutil.copytree(ROOT / name, working / name)
    upload = bare(kaggle.bundle(task), online=bool(kaggle.NEEDS[task].online))
    monkeypatch.chdir(working)
    for name, value in {"INPUT": place.parent, "WORKING": working, "KERNEL_RUN_TYPE": "Batch"}.items():
        monkeypatch.setenv(f"KAGGLE_{name}", str(value))
    assert headless.execute(upload, tmp_path / "done.ipynb", {}) is None
    results = json.loads((working / "results.json").read_text(encoding="utf-8"))
    assert (results["data"], results["ours"]) == ("competition", None)
    assert results["submission_sha256"] == storage.sha256_of(working / "submission.csv")
    assert results["submission_sha256"] == (played.results or {})["submission_sha256"]


@pytest.mark.story
def test_the_executed_notebook_is_small(played: headless.Play) -> None:
    text = sum(
        len(str(value))
        for cell in nbformat.read(played.notebook, as_version=4).cells
        for output in cell.get("outputs", [])
        for kind, value in {**output.get("data", {}), "stream": output.get("text", "")}.items()
        if not kind.startswith("image/")
    )
    assert text < 200_000


def papermill(folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [*PAPERMILL, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )  # fmt: skip


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("sede", "7", "unknown parameter 'sede': did you mean seed?"),
        ("seed", "high", "seed must be a whole number (int), got 'high'"),
        ("data_dir", "absent-folder", "absent-folder does not exist"),
    ],
)
def test_wrong_parameters_fail_at_once(task: str, parameter: str, value: str, message: str, tmp_path: Path) -> None:
    """The bare papermill command, from another folder, stops with the remedy and writes no output."""
    notebook = headless.find_notebook(task).resolve()
    done = papermill(tmp_path, str(notebook), "out.ipynb", "-p", parameter, value)
    assert done.returncode != 0
    assert message in done.stderr
    assert not list(tmp_path.rglob("submission.csv"))


def test_task7_suggests_threshold(tmp_path: Path) -> None:
    if "task7" not in TASKS:
        pytest.skip("task 7 has no notebook here")
    notebook = str(headless.find_notebook("task7").resolve())
    assert "did you mean threshold?" in papermill(tmp_path, notebook, "o.ipynb", "-p", "treshold", "0.4").stderr
    assert "threshold must be a number" in papermill(tmp_path, notebook, "o.ipynb", "-p", "threshold", "high").stderr


@pytest.mark.parametrize("task", TASKS)
def test_help_reads_as_a_manual(task: str, tmp_path: Path) -> None:
    done = papermill(tmp_path, "--help-notebook", str(headless.find_notebook(task).resolve()))
    assert done.returncode == 0
    assert re.search(r"seed: int \(default \d+\)", done.stdout)
    assert "data_dir: str" in done.stdout


def test_every_notebook_belongs_to_a_competition() -> None:
    assert set(TASKS) <= set(COMPETITIONS)
