"""The live lines of notebooks that are being played."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rich.console import Console

from neoai_utils.commands import board
from neoai_utils.commands.board import Board
from neoai_utils.commands.run import run
from tests.commands.small import WRITE, book

STORY = new_notebook(
    cells=[
        new_markdown_cell("# Title"),
        new_code_cell("1"),
        new_markdown_cell("Some text.\n\n## 1. Data\n\n### deeper"),
        new_code_cell("2"),
    ]
)


@pytest.fixture
def minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a minute very short."""
    monkeypatch.setattr(board, "_MINUTE", 0.05)


def test_elsewhere_a_line_a_minute_names_section_and_cell(minute: None) -> None:
    text = io.StringIO()
    with Board(Console(file=text, width=40)) as shown:
        starts = shown.follow("task5", STORY, expected=3)
        starts(cell=STORY.cells[3], cell_index=3)
        time.sleep(0.3)
        shown.ended("task5")
        time.sleep(0.1)
        lines = text.getvalue().splitlines()
        time.sleep(0.2)
    assert len(lines) >= 2
    assert set(lines) == {"task5  0:00 of about 3 min  cell 4 of 4, 1. Data"}
    assert text.getvalue().splitlines() == lines, "a notebook that has ended is not shown"


def test_a_terminal_shows_live_lines_that_disappear() -> None:
    text = io.StringIO()
    with Board(Console(file=text, force_terminal=True, width=60)) as shown:
        shown.follow("task5", STORY, expected=0)
        shown.follow("task7", STORY, expected=9)
        time.sleep(0.8)
    seen = text.getvalue()
    assert re.search(r"task5  0:0\d  cell 1 of 4, Title", seen)
    assert re.search(r"task7  0:0\d of about 9 min  cell 1 of 4, Title", seen)
    assert seen.endswith("\x1b[2K"), "the last thing written removes the lines"


def test_an_injected_cell_moves_the_headings(minute: None) -> None:
    text = io.StringIO()
    with Board(Console(file=text)) as shown:
        starts = shown.follow("task5", STORY, expected=0, injected=1)
        starts(cell=None, cell_index=2)
        assert str(shown._plays["task5"]).endswith("cell 3 of 5, Title")
        starts(cell=None, cell_index=4)
        assert str(shown._plays["task5"]).endswith("cell 5 of 5, 1. Data")


def test_a_played_notebook_tells_its_cells(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat.write(book("print(n)", WRITE), shelf / "task5.ipynb")
    seen: list[int] = []

    class Noting(Board):
        def follow(self, task, book, expected, injected=None):
            starts = super().follow(task, book, expected, injected)
            return lambda cell, cell_index: (starts(cell, cell_index), seen.append(self._plays[task].cell))

    with Noting(Console(file=io.StringIO())) as shown:
        done = run("task5", board=shown)
        assert done.error is None
        assert shown._plays == {}
    assert seen == list(range(len(nbformat.read(done.notebook, as_version=4).cells)))
