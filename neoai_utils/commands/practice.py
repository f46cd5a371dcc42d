"""Write a task to practise on: the miniature's files, and a notebook with the problem, the baseline and hints.

Everything comes from the story's notebook. Its cells up to the one with the tag `baseline` are copied. Each paragraph
below a line `<!-- hint: ROW -->` becomes a hint, with the score that the row of this name printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import miniatures, storage
from neoai_utils.commands import notebooks, report
from neoai_utils.commands.imports import BASELINE_TAG
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, NeoaiError
from neoai_utils.task_modules import files_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["NOTEBOOK", "make", "require_free", "write"]

NOTEBOOK = "practice.ipynb"

_HINT = re.compile(r"^<!-- hint: (.+?) -->\n(.+?[^:])(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
_TITLE = re.compile(r"^# Task \d · (.+)$", re.MULTILINE)
_PROBLEM = re.compile(r"^\*\*.+?(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)


def write(task: str, folder: Path) -> Path:
    """Write a new folder with the miniature's files in `data/` and the notebook `practice.ipynb`.

    The answers stay in the library's cache, where only the grader reads them.

    Args:
        task: "task1" … "task8".
        folder: must not exist, or be empty.

    Raises:
        DataError: the task's notebook is missing or has no cell with the tag `baseline`.
        NeoaiError: the folder holds files, or cannot be written.
    """
    import nbformat

    require_free(folder)
    book = make(task)
    built = miniatures.build_miniature(task, 0)
    storage.make_folder(folder)
    storage.copy_folder(built / "data", folder / "data")
    with storage.atomic_path(folder / NOTEBOOK) as temporary:
        nbformat.write(book, temporary)
    return folder / NOTEBOOK


def require_free(folder: Path) -> None:
    """Raise if a folder holds files, or is a file.

    Raises:
        NeoaiError: it is; the message names the remedy.
    """
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        what = "is a file" if folder.is_file() else "holds files"
        raise NeoaiError(f"{folder} {what}; name a new folder, so that no work of yours is overwritten.")


def make(task: str) -> NotebookNode:
    """Return the practice notebook of a task.

    Raises:
        DataError: the task's notebook is missing or has no cell with the tag `baseline`.
    """
    import nbformat

    story = notebooks.read(notebooks.find_notebook(task))
    last = next((n for n, cell in enumerate(story.cells) if BASELINE_TAG in cell.metadata.get("tags", [])), None)
    if last is None:
        raise DataError(f"{task}'s notebook has no cell with the tag {BASELINE_TAG!r}, where the practice ends.")
    cells = [_title(task, story), *story.cells[1 : last + 1], *_turn(task, story), *_hints(story)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number:02d}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        else:
            cell.source = _HINT.sub(lambda found: found[2], cell.source)
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def _title(task: str, story: NotebookNode) -> NotebookNode:
    """Return the first cell: the problem, the files, the metric."""
    from nbformat.v4 import new_markdown_cell

    facts, first = COMPETITIONS[task], story.cells[0].source
    title, problem = _TITLE.search(first), _PROBLEM.search(first)
    files = ", ".join(f"`{name}`" for name in files_of(facts).REQUIRED)
    better = "higher" if facts.higher_is_better else "lower"
    return new_markdown_cell(f"""\
# Practice · Task {facts.number} · {title[1] if title else facts.title}

{problem[0] if problem else ""}

**Files:** {files}, in the competition's own form. They lie in `data/`, and the cells below read the same ones.

**Metric:** {facts.metric}; {better} is better. The answers are hidden; the last cells grade whatever you hand in.

Run the cells down to *Your turn*: they read the data and play the organisers' baseline. Then try to do better. Open a
hint only when you are stuck. `notebooks/{task}.ipynb` tells the whole story.""")


def _turn(task: str, story: NotebookNode) -> list[NotebookNode]:
    """Return the cells in which one's own attempts are made and graded."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    known = {
        name: score for name, score in report.read_scores(story).items() if name != "recovered" and score is not None
    }
    return [
        new_markdown_cell("""\
## Your turn

Build a submission in the same form as the baseline's cells do, and call it `submission_of_mine`. `add` checks it,
grades it, and keeps the score in `attempts.csv`, so that your table grows from day to day. *Recovered* is the share of
the way from the baseline to the ceiling, an oracle that knows what no solver can know."""),
        new_code_cell(f"""\
from neoai_utils.attempts import Attempts

attempts = Attempts(workspace, {known!r})
attempts.table()"""),
        new_code_cell("# your idea\nsubmission_of_mine = None"),
        new_code_cell("""\
if submission_of_mine is not None:
    attempts.add("my first idea", submission_of_mine)
attempts.table()"""),
    ]


def _hints(story: NotebookNode) -> Iterator[NotebookNode]:
    """Yield a cell for each hint, folded away."""
    from nbformat.v4 import new_markdown_cell

    found = [hint for cell in story.cells if cell.cell_type == "markdown" for hint in _HINT.findall(cell.source)]
    for number, (row, text) in enumerate(found, 1):
        figure = report.row_figure(row, story)
        summary = f"Hint {number}" + f" ({figure} by this idea)" * bool(figure)
        yield new_markdown_cell(f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>")
