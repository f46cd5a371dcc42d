"""Every upload is played in an environment with Kaggle's versions; `.ci/hosted` makes it and says where it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from neoai_utils import storage
from neoai_utils.commands import notebooks, report
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.miniatures import build_miniature
from neoai_utils.workspace import grade_file
from tests.notebooks.conftest import FOREIGN, said

PYTHON = os.environ.get("NEOAI_HOSTED_PYTHON", "")
NBCONVERT = ("nbconvert", "--to=notebook", "--execute", "--ExecutePreprocessor.timeout=-1", "--output=../done",
             "upload.ipynb")  # fmt: skip
NOISE = ("restart the kernel", "Flax", "Traceback")
PIP = [PYTHON, "-I", "-m", "pip", "--disable-pip-version-check"]  # -I: sees nothing of this repository

pytestmark = [
    pytest.mark.story,
    pytest.mark.skipif(not PYTHON, reason="NEOAI_HOSTED_PYTHON names no Python with Kaggle's versions; see .ci/hosted"),
]


def installed() -> dict[str, str]:
    listed = subprocess.run([*PIP, "list", "--format=json"], capture_output=True, check=True)
    return {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}


@pytest.fixture
def image() -> Iterator[dict[str, str]]:
    """Give what the environment holds; afterwards what an upload has installed is removed, and nothing may be moved."""
    before = installed()
    yield before
    after = installed()
    new = sorted(after.keys() - before.keys())
    if new:
        print("installed by the upload:", *new)
        subprocess.run([*PIP, "uninstall", "--quiet", "--yes", *new], check=True)
    assert {name: after.get(name) for name in before} == before, "the upload has moved a package of the image"


def check(task: str, working: Path) -> None:
    """Compare the submission with the stored notebook's scores, and look for noise among the outputs."""
    results = json.loads((working / "results.json").read_text(encoding="utf-8"))
    assert (results["data"], results["ours"]) == ("competition", None)
    assert results["submission_sha256"] == storage.sha256_of(working / "submission.csv")
    score = grade_file(task, working / "submission.csv", build_miniature(task, 0)).score
    stored = report.read_scores(nbformat.read(notebooks.find_notebook(task), as_version=4))
    print(f"{task}: {score:.3f} in {results['seconds']:.0f} s with {results['versions']}; stored: {stored}")
    sign = 1 if COMPETITIONS[task].higher_is_better else -1
    assert sign * score > sign * stored["published"]
    book = nbformat.read(working.parent / "done.ipynb", as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    text = said(working.parent / "done.ipynb")
    print("on stderr:", [output.text for output in outputs if output.get("name") == "stderr"])
    assert not [noise for noise in NOISE if noise in text]
    assert not re.search(r"^\d+$", text, re.MULTILINE), "a cell ends with a bare number"
    assert not FOREIGN.findall(text)


@pytest.mark.parametrize("task", notebooks.available())
def test_an_upload_plays_with_the_versions_of_kaggle(
    task: str, tmp_path: Path, play_upload: Callable[..., Path], image: dict[str, str]
) -> None:
    check(task, play_upload(task, tmp_path, PYTHON))


def test_an_upload_plays_by_the_nbconvert_of_kaggle(
    tmp_path: Path, play_upload: Callable[..., Path], image: dict[str, str]
) -> None:
    check("task5", play_upload("task5", tmp_path, PYTHON, NBCONVERT))
