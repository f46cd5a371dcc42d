"""Which notebooks a change reaches, for `./run_all.sh --test --changed`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from neoai_utils.commands import imports
from neoai_utils.competitions import COMPETITIONS

ROOT = Path(__file__).resolve().parent.parent
_PLAYED = (
    "neoai_utils/",
    "notebooks/task",
    "tests/notebooks/",
    "tests/conftest",
    "tests/eight",
    "requirements",
    "pyproject",
)


def paths(root: Path = ROOT) -> list[str]:
    """Return the files that differ from where this branch left `main`, new ones included."""

    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", *words], cwd=root, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise pytest.UsageError(
                f"--changed compares with the branch main: {done.stderr.strip()}. Try: git fetch origin main:main"
            )
        return done.stdout.split("\n")

    base = git("merge-base", "main", "HEAD")[0]
    found = [*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")]
    return sorted({path for path in found if path})


def tasks(changed: Iterable[str]) -> set[str]:
    """Return the tasks whose notebooks, or a part of the library that they reach, are among the changed files.

    A task's folder reaches that task, a module that only some uploads carry reaches those, and all other code reaches
    every task. Texts, pages and tests of single modules reach none.
    """
    changed = [path for path in changed if path.startswith(_PLAYED)]
    carried = {task: set(imports.collect(task).files) for task in COMPETITIONS} if changed else {}
    found = set()
    for path in changed:
        own = {task for task in COMPETITIONS if f"neoai_utils/{COMPETITIONS[task].technique}/" in path or task in path}
        found |= own or {task for task, files in carried.items() if path in files} or set(COMPETITIONS)
    return found


def task_of(nodeid: str) -> str | None:
    """Return the task that a test's name or parameter tells, such as "task7"; None if it tells none."""
    number = re.search(r"task_?(\d)", nodeid.partition("::")[2]) or re.search(r"test_task(\d)", nodeid)
    return f"task{number[1]}" if number else None
