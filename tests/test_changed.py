"""The choice of notebooks that a change reaches."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from neoai_utils.competitions import COMPETITIONS
from tests import changed


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("notebooks/task3.ipynb", {"task3"}),
        ("neoai_utils/diffusion/gate.py", {"task6"}),
        ("neoai_utils/segmentation/miniature/__init__.py", {"task7"}),
        ("neoai_utils/workspace.py", set(COMPETITIONS)),
        ("neoai_utils/weights.py", set(COMPETITIONS)),
        ("neoai_utils/commands/run.py", set(COMPETITIONS)),
        ("requirements.txt", set(COMPETITIONS)),
        ("tests/notebooks/test_task1_tables.py", {"task1"}),
        ("neoai_utils/small_clip.py", {"task6", "task7"}),
        ("tests/notebooks/conftest.py", set(COMPETITIONS)),
        ("README.md", set()),
    ],
)
def test_a_file_reaches_the_notebooks_that_need_it(path: str, reached: set[str]) -> None:
    assert changed.tasks([path]) == reached


@pytest.mark.parametrize(
    ("nodeid", "task"),
    [
        ("tests/notebooks/test_stories.py::test_the_upload[task4]", "task4"),
        ("tests/notebooks/test_tasks_7_and_8.py::test_task_8[True]", "task8"),
        (
            "tests/notebooks/test_task1_tables.py::test_the_notebook_plays_to_its_end[one_day-messages1]",
            "task1",
        ),
        ("tests/notebooks/test_style.py::test_other", None),
    ],
)
def test_a_test_tells_its_task(nodeid: str, task: str | None) -> None:
    assert changed.task_of(nodeid) == task


def test_changes_are_counted_from_where_the_branch_left_main(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    def commit(name: str) -> None:
        (tmp_path / name).write_text(name)
        git("add", name)
        git("commit", "-qm", name)

    git("init", "-qb", "main")
    commit("old")
    git("checkout", "-qb", "work")
    commit("committed")
    (tmp_path / "old").write_text("edited")
    (tmp_path / "new").write_text("new")
    git("checkout", "-q", "main")
    commit("of-another")
    git("checkout", "-q", "work")
    assert changed.paths(tmp_path) == ["committed", "new", "old"]
    git("branch", "-m", "main", "trunk")
    with pytest.raises(pytest.UsageError, match="git fetch origin main:main"):
        changed.paths(tmp_path)
