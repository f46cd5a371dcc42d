"""The layout of a CoNLL file: which column holds the word, its number, the intent and the slot tag.

The usual layout is that of xSID (van der Goot et al., 2105.07316): word number, word, intent, slot tag, separated by
tabs. Other layouts are recognised from the columns' content and reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from neoai_utils import errors
from neoai_utils.crosslingual.tags import is_tag
from neoai_utils.errors import DataError

__all__ = ["EMPTY", "Layout", "layout_of"]

EMPTY = ("", "_", "-", "?")
"""Cells that hold no label."""
_USUAL = 4  # columns of a labelled line
_MAX_LINES = 20_000  # to look at, of a large file's half a million


@dataclass(frozen=True)
class Layout:
    """The columns of a file's lines.

    Attributes:
        path: the file.
        tabs: whether columns are separated by tabs, else by blanks.
        width: columns of most lines.
        numbered: whether the first column numbers the words.
        intent: the column of the intent; None: there is none.
        tag: the column of the slot tag; None: there is none, or it is not needed.
    """

    path: Path
    tabs: bool
    width: int
    numbered: bool
    intent: int | None
    tag: int | None

    @property
    def word(self) -> int:
        """Return the column of the word."""
        return int(self.numbered)

    def split(self, line: str) -> list[str]:
        """Return the columns of a line, split at blanks if it has blanks where the other lines have tabs."""
        columns = _split(line, self.tabs)
        at_blanks = line.split()
        return at_blanks if len(columns) != self.width == len(at_blanks) else columns

    def is_comment(self, line: str) -> bool:
        """Return whether a line is a comment; a line whose word is `#` has the columns of the other lines."""
        if not line.startswith("#"):
            return line.startswith("-DOCSTART-")
        columns = _split(line, self.tabs)
        return self.numbered or self.tag is None or len(columns) != self.width or not is_tag(columns[self.tag])


def _split(line: str, tabs: bool) -> list[str]:
    return [column.strip() for column in line.rstrip().split("\t")] if tabs else line.split()


def layout_of(path: Path, lines: Sequence[str], labelled: bool) -> Layout:
    """Recognise the layout from the first lines of a file; an unusual one is reported by a warning.

    Args:
        path: the file, for messages.
        lines: its lines.
        labelled: whether there must be slot tags.

    Raises:
        DataError: there is no utterance; no column holds slot tags, but they are needed; or the column of the words is
            not clear.
    """
    lines = lines[:_MAX_LINES]
    rows = [line for line in lines if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    if not rows:
        raise DataError(f"{path} holds no utterance. Copy the file again.")
    tabs = sum("\t" in line for line in rows) * 2 > len(rows)
    cells = [_split(line, tabs) for line in rows]
    width = Counter(map(len, cells)).most_common(1)[0][0]
    full = [columns for columns in cells if len(columns) == width]
    numbered = width > 1 and sum(columns[0].isdecimal() for columns in full) * 2 > len(full)
    tag = _tag_column(full, width, numbered)
    _check(path, labelled, width, numbered, tag)
    intent = None
    if tag is not None:
        pairs = pairwise(_split(line, tabs) for line in lines)
        neighbours = [(one, two) for one, two in pairs if len(one) == len(two) == width]
        intent = _intent_column(neighbours, [c for c in range(int(numbered) + 1, width) if c != tag], tag)
    layout = Layout(path, tabs, width, numbered, intent, tag)
    _warn_of_layout(layout, labelled)
    return layout


def _check(path: Path, labelled: bool, width: int, numbered: bool, tag: int | None) -> None:
    if labelled and tag is None:
        raise DataError(
            f"{path}: expected lines of word number, word, intent and slot tag separated by tabs; no column of its "
            f"{width} holds slot tags. Copy the file again."
        )
    if not labelled and not numbered and width > 1 and tag is None:
        raise DataError(
            f"{path}: expected lines of word number and word separated by tabs; its {width} columns hold neither "
            "numbers nor tags, so which of them is the word? Copy the file again."
        )


def _tag_column(rows: Sequence[Sequence[str]], width: int, numbered: bool) -> int | None:
    """Return the column that holds slot tags: the usual one, unless only another one fits."""
    usual = _USUAL - 1 if numbered else _USUAL - 2
    shares = {
        column: sum(is_tag(row[column]) or row[column] in EMPTY for row in rows) / len(rows)
        for column in range(int(numbered) + 1, width)
    }
    fitting = [column for column in shares if shares[column] >= 0.5]
    if usual in fitting or (usual in shares and not fitting):
        return usual
    return max(fitting, key=lambda column: (shares[column], column), default=None)


def _intent_column(neighbours: Sequence[tuple[list[str], list[str]]], others: Sequence[int], tag: int) -> int | None:
    """Return the column whose value changes least from word to word; of equal ones the one before the tag."""

    def rank(column: int) -> tuple[int, bool]:
        same = sum(one[column] == two[column] and one[column] not in EMPTY for one, two in neighbours)
        return same, column + 1 == tag

    return max(others, key=rank, default=None)


def _warn_of_layout(layout: Layout, labelled: bool) -> None:
    """Warn of an unusual layout."""
    roles = {layout.word: "word"} | ({0: "word number"} if layout.numbered else {})
    if labelled:
        roles |= {column: name for column, name in ((layout.intent, "intent"), (layout.tag, "slot tag")) if column}
    usual = layout.width == _USUAL if labelled else layout.width in (2, _USUAL)
    if layout.tabs and layout.numbered and usual and (not labelled or layout.tag == _USUAL - 1):
        return
    names = ", ".join(roles.get(column, "(not used)") for column in range(layout.width))
    errors.warn(f"{layout.path}: its lines are read as {names}, separated by {'tabs' if layout.tabs else 'blanks'}.")
