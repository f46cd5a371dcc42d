"""Notebooks as badges open them, where the library is missing: a clone as address, real pip, to the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import bare_environment

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to clone with"),
    pytest.mark.skipif(
        int(version("setuptools").partition(".")[0]) < 77, reason="the library is built with setuptools 77 or newer"
    ),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Commit the project as it lies here to a clone, and set the clone's address in it as a fork would."""
    folder = tmp_path_factory.mktemp("clone")
    found = bare_environment.clone(ROOT, folder)
    command = [sys.executable, "-m", "neoai_utils.commands.app", "address", found]
    subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    return found


@pytest.mark.parametrize("task", ["task1", "task5"])
def test_a_raw_notebook_gets_the_library_and_plays_to_the_end(task: str, address: str, tmp_path: Path) -> None:
    python = bare_environment.make(tmp_path / "environment")
    (tmp_path / "working").mkdir()
    notebook = Path(address.removeprefix("file://"), "notebooks", f"{task}.ipynb")

    def run(*words: str) -> str:
        variables = bare_environment.environment(JUPYTER_DATA_DIR=str(tmp_path / "jupyter"))
        done = subprocess.run(
            [python, *words], cwd=tmp_path / "working", env=variables, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    before = set(run("-m", "pip", "list", "--format=freeze").splitlines())
    assert not any(line.startswith("neoai==") for line in before)
    run("-m", "papermill", str(notebook), "done.ipynb")
    after = set(run("-m", "pip", "list", "--format=freeze").splitlines())
    assert {line.partition("==")[0] for line in after - before} == {"neoai"}
    assert before <= after
    assert run("-c", "import neoai_utils; print(neoai_utils.__file__)").startswith(str(tmp_path / "environment"))
    results = json.loads((tmp_path / "working/outputs" / task / "results.json").read_text(encoding="utf-8"))
    sign = 1 if results["higher_is_better"] else -1
    assert sign * results["ours"] > sign * results["published"] > sign * results["baseline"]
    said = [
        o
        for cell in json.loads((tmp_path / "working/done.ipynb").read_text())["cells"][:6]
        for o in cell.get("outputs", [])
    ]
    assert [output for output in said if output["output_type"] == "stream" and output["name"] == "stderr"] == []
