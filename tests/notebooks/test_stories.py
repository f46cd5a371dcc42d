"""Every notebook is executed as a user would: whole, with a wrong parameter, and as an upload without the answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from papermill.cli import papermill as papermill_command

from neoai_utils import storage
from neoai_utils.commands import notebooks
from neoai_utils.commands import run as runs
from neoai_utils.commands.run import Run
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import ParameterError
from neoai_utils.miniatures import build_miniature
from tests.notebooks.conftest import FOREIGN, said

TASKS = notebooks.available()
PAPERMILL = [sys.executable, "-m", "papermill"]


@pytest.fixture(scope="module", params=TASKS)
def twins(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, play_upload: Callable[..., Path]
) -> tuple[Run, Path]:
    """Run a notebook for all tests of this module, and at once its upload as on Kaggle, on the bare files.

    The notebook's kernel starts with as many threads as there are cores, the upload's with one.
    """
    task, folder = request.param, tmp_path_factory.mktemp("outputs")
    build_miniature(task, 0)
    with ThreadPoolExecutor() as pool:
        played = pool.submit(runs.run, task, folder)
        upload = pool.submit(play_upload, task, folder)
        done, working = played.result(), upload.result()
    assert done.error is None, done.error
    return done, working


@pytest.fixture
def played(twins: tuple[Run, Path]) -> Run:
    """Give the play of the miniature."""
    return twins[0]


@pytest.mark.story
def test_ours_beats_baseline_and_published(played: Run) -> None:
    found = played.results
    assert found is not None
    sign = 1 if found["higher_is_better"] else -1
    baseline, published, ours, ceiling = (sign * found[name] for name in ("baseline", "published", "ours", "ceiling"))
    assert max(baseline, published) < ours
    assert max(baseline, published) < ceiling
    assert found["recovered"] < 1.05, "an oracle may lose a picture by its noise, but no more"
    assert found["data"] == "miniature"
    assert len(found["rows"]) >= 10
    assert found["submission_sha256"] == storage.sha256_of(played.folder / "submission.csv")


@pytest.mark.story
def test_the_upload_needs_neither_library_nor_answers(twins: tuple[Run, Path]) -> None:
    """Played as on Kaggle, without answers, in another folder, the upload hands in the same bytes.

    The kernels start with different numbers of threads: on the miniature that must not matter.
    """
    played, working = twins
    results = json.loads((working / "results.json").read_text(encoding="utf-8"))
    assert (results["data"], results["ours"]) == ("competition", None)
    assert results["submission_sha256"] == storage.sha256_of(working / "submission.csv")
    assert results["submission_sha256"] == (played.results or {})["submission_sha256"]


@pytest.mark.story
def test_the_upload_speaks_of_its_own_run_alone(twins: tuple[Run, Path]) -> None:
    """On the competition's own files no line speaks of the miniature, and no value or row is missing."""
    text = said(twins[1].parent / "done.ipynb")
    assert "submission.csv" in text
    assert not FOREIGN.findall(text)


@pytest.mark.story
def test_the_executed_notebook_is_small(played: Run) -> None:
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
def test_a_wrong_folder_fails_at_once(task: str, tmp_path: Path) -> None:
    """The bare papermill command, from another folder, stops with the remedy and writes no output."""
    notebook = notebooks.find_notebook(task).resolve()
    done = papermill(tmp_path, str(notebook), "out.ipynb", "-p", "data_dir", "absent-folder")
    assert done.returncode != 0
    assert "absent-folder does not exist" in done.stderr
    assert not list(tmp_path.rglob("submission.csv"))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("injected", "message"),
    [
        ("sede = 7", "unknown parameter 'sede': did you mean seed?"),
        ("seed = 'high'", "seed must be a whole number (int), got 'high'"),
    ],
)
def test_the_guard_stands_right_below_the_parameters(task: str, injected: str, message: str) -> None:
    """The first two code cells, with what papermill injects between them, are enough to stop a notebook."""
    cells = nbformat.read(notebooks.find_notebook(task), as_version=4).cells
    parameters, guard = [cell.source for cell in cells if cell.cell_type == "code"][:2]
    namespace: dict[str, object] = {"In": ["", parameters, f"# Parameters\n{injected}\n"]}
    for source in (parameters, injected):
        exec(source, namespace)
    with pytest.raises(ParameterError, match=re.escape(message)):
        exec(guard, namespace)


def test_task7_suggests_threshold(tmp_path: Path) -> None:
    if "task7" not in TASKS:
        pytest.skip("task 7 has no notebook here")
    notebook = str(notebooks.find_notebook("task7").resolve())
    assert "did you mean threshold?" in papermill(tmp_path, notebook, "o.ipynb", "-p", "treshold", "0.4").stderr
    assert "threshold must be a number" in papermill(tmp_path, notebook, "o.ipynb", "-p", "threshold", "high").stderr


@pytest.mark.parametrize("task", TASKS)
def test_help_reads_as_a_manual(task: str) -> None:
    done = CliRunner().invoke(papermill_command, ["--help-notebook", str(notebooks.find_notebook(task).resolve())])
    assert done.exit_code == 0
    assert re.search(r"seed: int \(default \d+\)", done.output)
    assert "data_dir: str" in done.output


def test_every_notebook_belongs_to_a_competition() -> None:
    assert set(TASKS) <= set(COMPETITIONS)
