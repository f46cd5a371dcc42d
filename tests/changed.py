"""Which notebooks a change reaches, for `./run_all.sh --test --changed`."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from neoai_utils.commands import imports
from neoai_utils.competitions import COMPETITIONS

ROOT = Path(__file__).resolve().parent.parent


def paths(root: Path = ROOT) -> list[str]:
    """Return the files that differ from where this branch left `main`, new ones included."""

    def git(*words: str) -> list[str]:
        return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.split("\n")

    base = git("merge-base", "main", "HEAD")[0]
    found = [*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")]
    return sorted({path for path in found if path})


def tasks(changed: Iterable[str]) -> set[str]:
    """Return the tasks whose notebooks, or a part of the library that they reach, are among the changed files.

    A change to the tests of notebooks reaches all of them.
    """
    changed = set(changed)
    if any(path.startswith("tests/notebooks/") for path in changed):
        return set(COMPETITIONS)
    return {task for task in COMPETITIONS if any(_reaches(path, task) for path in changed)}


def _reaches(path: str, task: str) -> bool:
    if path == f"notebooks/{task}.ipynb" or path.startswith(f"neoai_utils/{COMPETITIONS[task].technique}/"):
        return True  # the folder holds the miniature too, which an upload does not carry
    return path in imports.collect(task).files


def task_of(nodeid: str) -> str | None:
    """Return the task that a test's name or parameter tells, such as "task7"; None if it tells none."""
    number = re.search(r"task_?(\d)", nodeid.partition("::")[2]) or re.search(r"test_task(\d)", nodeid)
    return f"task{number[1]}" if number else None
