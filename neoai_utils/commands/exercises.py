"""The exercises at the end of a notebook: play each one's change, and write below it, folded, what it gave.

A line `<!-- try: CHANGE | ROW | ROW -->` stands above an exercise. CHANGE is a parameter and its value, or
`OLD => NEW`, text in one code cell and its replacement. ROW is a row of the ladder, or `ours` for the row that is
handed in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import storage
from neoai_utils.commands import notebooks, report
from neoai_utils.commands.run import default_jobs, run_into, shared_cores
from neoai_utils.errors import DataError, NeoaiError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Exercise", "changed", "measure", "read", "write"]

_MARKED = re.compile(
    r"^<!-- try: ([^\n]+?) -->\n((?:[^\n]+\n?)+)(?:\n *<details>.*?</details>\n?)?", re.MULTILINE | re.DOTALL
)
_FOLDER = "exercises"  # below the outputs
_SUMMARY = "What we saw"
_OURS = "ours"


@dataclass(frozen=True)
class Exercise:
    """One change of a notebook.

    Attributes:
        change: as the notebook's mark has it: "components 32", or "share=0.4 => share=0.8".
        rows: the rows of the ladder to look at.
    """

    change: str
    rows: tuple[str, ...]


def read(book: NotebookNode) -> list[Exercise]:
    """Return a notebook's exercises in their order."""
    marks = [mark for cell in book.cells if cell.cell_type == "markdown" for mark, _ in _MARKED.findall(cell.source)]
    parts = [mark.split(" | ") for mark in marks]
    return [Exercise(change, tuple(rows)) for change, *rows in parts]


def changed(book: NotebookNode, exercise: Exercise, path: Path) -> tuple[NotebookNode, dict[str, object]]:
    """Return a notebook with an exercise's change of its code, a copy if there is one, and the parameters to set.

    Args:
        book: the notebook.
        exercise: one of its exercises.
        path: the notebook's file.

    Raises:
        DataError: the text to replace does not occur exactly once in the code.
        ParameterError: the notebook declares no such parameter, or the value is not of its type.
    """
    import copy

    old, arrow, new = exercise.change.partition(" => ")
    if not arrow:
        name, value = exercise.change.split(" ", 1)
        return book, {key: last for key, (*_, last) in notebooks.typed(path, {name: [value]}).items()}
    made = copy.deepcopy(book)
    found = [cell for cell in made.cells if cell.cell_type == "code" and old in cell.source]
    if len(found) != 1 or found[0].source.count(old) != 1:
        raise DataError(f"{path}: the exercise {exercise.change!r} needs text that occurs once in the code.")
    found[0].source = found[0].source.replace(old, new)
    return made, {}


def measure(task: str, outputs: Path) -> list[NotebookNode]:
    """Play a notebook with each exercise's change and return the executed notebooks.

    Args:
        task: "task1" … "task8".
        outputs: folder of all outputs; plays of an earlier call are not used again.

    Raises:
        DataError: the notebook is missing, or a change does not fit it.
        NeoaiError: a play failed.
    """
    from joblib import Parallel, delayed

    source = notebooks.find_notebook(task)
    book = notebooks.read(source)
    plans = [changed(book, exercise, source) for exercise in read(book)]
    folder = outputs / _FOLDER / task
    with storage.alone(storage.make_folder(folder) / ".lock"), shared_cores(default_jobs()):
        parallel = Parallel(default_jobs(), prefer="threads")  # each kernel is a process of its own
        return list(parallel(delayed(_play)(folder / str(k), task, *plan) for k, plan in enumerate(plans, 1)))


def _play(folder: Path, task: str, book: NotebookNode, values: dict[str, object]) -> NotebookNode:
    """Play a changed notebook into a folder and return it executed."""
    import nbformat

    storage.make_folder(folder)
    notebook = folder / "changed.ipynb"
    with storage.atomic_path(notebook) as temporary:
        nbformat.write(book, temporary)
    ended = run_into(folder, task, notebook, {**values, "out_dir": str(folder.resolve())})
    if ended.error:
        raise NeoaiError(f"{task}, exercise {folder.name}: {ended.error} (see {ended.notebook})")
    return notebooks.read(ended.notebook)


def write(task: str, played: Sequence[NotebookNode]) -> Path:
    """Write what the changes gave into a task's stored notebook, below each exercise.

    Args:
        task: "task1" … "task8".
        played: the executed notebooks, in the order of the exercises.

    Returns:
        The stored notebook.
    """
    import nbformat

    path = notebooks.find_notebook(task)
    book = notebooks.read(path)
    tables = iter([_table(exercise, book, done) for exercise, done in zip(read(book), played, strict=True)])
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = _MARKED.sub(lambda mark: f"{_exercise(mark)}\n\n{next(tables)}\n", cell.source)
    with storage.atomic_path(path) as temporary:
        nbformat.write(book, temporary)
    return path


def _exercise(mark: re.Match[str]) -> str:
    """Return the mark and the text of an exercise, without its table."""
    return f"<!-- try: {mark[1]} -->\n{mark[2].rstrip()}"


def _table(exercise: Exercise, stored: NotebookNode, played: NotebookNode) -> str:
    """Return the folded table of an exercise, indented as part of a list's item."""
    head = ["| row | as stored | changed |", "| --- | --- | --- |"]
    lines = [f"| {row} | {_figure(row, stored)} | {_figure(row, played)} |" for row in exercise.rows]
    text = [f"<details><summary>{_SUMMARY}</summary>", "", *head, *lines, "", "</details>"]
    return "\n".join(f"   {line}".rstrip() for line in text)


def _figure(row: str, book: NotebookNode) -> str:
    """Return what a notebook printed for a row, or for the row that it handed in."""
    return (report.handed_in(book) if row == _OURS else report.row_figure(row, book)) or "not played"
