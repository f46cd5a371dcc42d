"""Practice notebooks: played to their end, with the baseline graded; their hints tell scores."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import notebooks, practice, report
from neoai_utils.commands import run as runs
from tests.notebooks.conftest import said

TASKS = notebooks.available()


@pytest.mark.story
@pytest.mark.parametrize("task", TASKS)
def test_a_practice_plays_to_its_end(task: str, tmp_path: Path) -> None:
    written = practice.write(task, tmp_path / "practice")
    target = tmp_path / f"{task}.ipynb"
    assert runs.execute(written, target, {"out_dir": str(tmp_path / "out")}) is None
    known = report.read_scores(notebooks.read(notebooks.find_notebook(task)))["baseline"]
    assert known is not None
    graded = [float(text) for text in re.findall(r"\bscore (\d+\.\d+)", said(target))]
    assert any(value == pytest.approx(known, rel=0.5) for value in graded), "the baseline is graded"
    tables = [
        output.data["text/plain"]
        for cell in nbformat.read(target, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output and "whose" in output.data.get("text/plain", "")
    ]
    assert len(tables) == 2
    assert all(name in tables[-1] for name in ("baseline", "published", "ours", "ceiling"))


@pytest.mark.parametrize("task", TASKS)
def test_three_to_six_hints_tell_a_score(task: str) -> None:
    hints = [cell.source for cell in practice.make(task).cells if cell.source.startswith("<details>")]
    assert 3 <= len(hints) <= 6
    assert all(re.match(r"<details><summary>Hint \d \((score|validation) \d+\.\d+", hint) for hint in hints)
