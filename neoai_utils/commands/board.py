"""What is being played: on a terminal one live line for each notebook, elsewhere one line a minute."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from neoai_utils.runtime import Stopwatch

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Board", "Play"]

_MINUTE = 60.0  # seconds between two lines where there is no terminal
_HEADING = re.compile(r"^##? (.+)$", re.MULTILINE)


@dataclass
class Play:
    """A notebook that is being played.

    Attributes:
        task: "task1" … "task8".
        headings: of each cell, the last heading above it or in it.
        expected: minutes that the stored notebook took; 0 if it names none.
        cell: index of the cell that runs.
        watch: started with the notebook.
    """

    task: str
    headings: list[str]
    expected: int
    cell: int = 0
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __str__(self) -> str:
        """Return the line: section, cell, minutes so far and expected."""
        minutes, seconds = divmod(int(self.watch.seconds), 60)
        place = f"cell {self.cell + 1} of {len(self.headings)}, {self.headings[self.cell]}"
        expected = f" of about {self.expected} min" if self.expected else ""
        return f"{self.task}  {minutes}:{seconds:02d}{expected}  {place}"


class Board(AbstractContextManager["Board"]):
    """Shows the notebooks that are being played while its `with` block runs."""

    def __init__(self, console: Console) -> None:
        """Show them on a console."""
        self._console = console
        self._plays: dict[str, Play] = {}
        self._ended = threading.Event()
        self._live = Live(console=console, get_renderable=self._lines, transient=True, refresh_per_second=2)

    def follow(self, task: str, book: NotebookNode, expected: int, injected: int | None = None) -> Callable[..., None]:
        """Show a notebook from now on, and return what has to be called at the start of each cell.

        Args:
            task: "task1" … "task8".
            book: the notebook.
            expected: minutes that it takes; 0 if this is not known.
            injected: index of the cell behind which papermill injects a cell; None if it injects none.
        """
        headings = _headings(book)
        if injected is not None:
            headings.insert(injected + 1, headings[injected])
        play = Play(task, headings, expected)
        self._plays[task] = play

        def starts(cell: Any, cell_index: int) -> None:  # nbclient gives both by name
            play.cell = cell_index

        return starts

    def ended(self, task: str) -> None:
        """Stop showing a notebook."""
        self._plays.pop(task, None)

    def __enter__(self) -> Board:
        """Start showing."""
        if self._console.is_terminal:
            self._live.start()
        else:
            threading.Thread(target=self._report, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop showing."""
        self._ended.set()
        self._live.stop()

    def _lines(self) -> Text:
        return Text("\n".join(map(str, list(self._plays.values()))), no_wrap=True, overflow="ellipsis")

    def _report(self) -> None:
        while not self._ended.wait(_MINUTE):
            for play in list(self._plays.values()):
                self._console.print(str(play), soft_wrap=True, markup=False)


def _headings(book: NotebookNode) -> list[str]:
    """Return for each cell the last heading, of the first or second level, above it or in it."""
    headings, last = [], ""
    for cell in book.cells:
        found = _HEADING.findall(cell.source) if cell.cell_type == "markdown" else []
        last = found[-1] if found else last
        headings.append(last)
    return headings
