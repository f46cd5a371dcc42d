"""Utterances in xSID's form of CoNLL (van der Goot et al., 2105.07316): read and written.

An utterance is a block of lines ended by an empty one. Lines that begin with `#` are comments. Each other line holds,
separated by tabs, the word's number, the word, the utterance's intent and the word's slot tag. `NoLabel` stands for
`O`. Where the labels are hidden, intent and tag may be missing. Files of a slightly different form are read with a
warning; `layout` recognises their columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from neoai_utils import errors
from neoai_utils.crosslingual.layout import EMPTY, Layout, layout_of
from neoai_utils.crosslingual.tags import OUTSIDE, read_tag, slots_of
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import DataError
from neoai_utils.reading import read_text
from neoai_utils.storage import atomic_path

__all__ = ["read", "write"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_INTENT = re.compile(r"#\s*intent\s*[:=]\s*(\S+)", re.I)


def read(path: Path, *, labelled: bool) -> tuple[Utterance, ...]:
    """Read a file; each kind of oddity is reported by one warning with its first line and their number.

    Blanks instead of tabs, further columns, columns in another order or without numbers, tags without or with other
    prefixes, and utterances without an intent are accepted.

    Args:
        path: the file.
        labelled: whether to read tags and intents. If not, only the words are read.

    Raises:
        DataError: the file is missing, no text, or has no utterance; it must be labelled and no column holds tags; or
            it is not labelled and the word of a line is not clear (the line is named).
    """
    lines = _LINE_END.split(read_text(path))
    layout = layout_of(path, lines, labelled)
    oddities = _Oddities(path)
    blocks = _separated(list(_blocks(lines, layout)), layout, oddities)
    utterances = tuple(_labelled(blocks, layout, oddities) if labelled else _unlabelled(blocks, layout, oddities))
    if not utterances:
        raise DataError(f"{path} holds no utterance. Copy the file again.")
    oddities.warn()
    return utterances


def write(utterances: Iterable[Utterance], path: Path) -> None:
    """Write a file that `read` reads back, without the columns of hidden intents and tags."""
    blocks = []
    for utterance in utterances:
        lines = [f"# text: {' '.join(utterance.words)}"]
        for number, word in enumerate(utterance.words, start=1):
            labels = [] if utterance.slots is None else [str(utterance.intent), utterance.slots[number - 1]]
            lines.append("\t".join([str(number), word, *labels]))
        blocks.append("\n".join(lines) + "\n")
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(blocks), encoding="utf-8")


@dataclass
class _Oddities:
    """What is unusual in a file.

    Attributes:
        path: the file.
        kinds: kind -> its first line, what was assumed there, and the number of cases.
    """

    path: Path
    kinds: dict[str, tuple[int, str, int]] = field(default_factory=dict)

    def add(self, kind: str, line: int, assumption: str) -> None:
        """Count a case."""
        first_line, first_assumption, count = self.kinds.get(kind, (line, assumption, 0))
        self.kinds[kind] = first_line, first_assumption, count + 1

    def warn(self) -> None:
        """Give one warning for each kind."""
        for line, assumption, count in self.kinds.values():
            cases = f"; {count} cases of this kind." if count > 1 else "."
            errors.warn(f"{self.path}, line {line}: {assumption}{cases}")


# ---------------------------------------------------------------------------------------------------- line by line

_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class _Block:
    """An utterance's lines.

    Attributes:
        rows: (line number, columns) of each word.
        intent: named by a comment; None if there is none.
    """

    rows: _Rows
    intent: str | None = None


def _blocks(lines: Sequence[str], layout: Layout) -> Iterator[_Block]:
    rows: _Rows = []
    intent = None
    for number, line in enumerate([*lines, ""], start=1):
        if layout.is_comment(line):
            match = _INTENT.match(line)
            intent = match[1] if match else intent
        elif line.strip():
            rows.append((number, layout.split(line)))
        elif rows:
            yield _Block(rows, intent)
            rows, intent = [], None


def _separated(blocks: list[_Block], layout: Layout, oddities: _Oddities) -> list[_Block]:
    """Split a file without empty lines where the words' numbers start again; return other files' blocks unchanged."""
    if len(blocks) > 1 or not layout.numbered:
        return blocks
    rows = blocks[0].rows
    numbers = [int(columns[0]) if columns[0].isdecimal() else -1 for _, columns in rows]
    starts = [index for index, number in enumerate(numbers) if number == numbers[0]]
    counted = all(current in (previous + 1, numbers[0]) for previous, current in pairwise(numbers))
    if len(starts) in (1, len(rows)) or not counted:  # real files sometimes miscount
        return blocks
    oddities.add("no empty lines", rows[0][0], "no empty line ends an utterance; each begins where the numbers do")
    return [_Block(rows[first:last]) for first, last in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _unlabelled(blocks: Iterable[_Block], layout: Layout, oddities: _Oddities) -> Iterator[Utterance]:
    """Yield the words alone; every word needs a tag in the submission, so a doubtful line is an error."""
    for block in blocks:
        words = []
        for line, columns in block.rows:
            if not _holds_word(columns, layout) or (not layout.tabs and len(columns) != layout.width):
                raise DataError(
                    f"{layout.path}, line {line}: expected {'a word number and ' if layout.numbered else ''}a word, "
                    f"found the columns {columns}; every word needs its tag in the submission. Copy the file again."
                )
            if len(columns) != layout.width:
                oddities.add("width", line, f"{len(columns)} columns, not {layout.width}; the word alone is used")
            words.append(columns[layout.word])
        yield Utterance(tuple(words))


def _labelled(blocks: Sequence[_Block], layout: Layout, oddities: _Oddities) -> Iterator[Utterance]:
    """Yield the utterances with intents and tags; a line without a word is left out."""
    tag_column = layout.tag or 0
    slots = slots_of(c[tag_column] for block in blocks for _, c in block.rows if len(c) >= layout.width)
    for block in blocks:
        rows = list(_rows_with_word(block, layout, oddities))
        if not rows:
            continue
        intent = _first_intent(rows[0][1], layout) or block.intent
        if intent is None:
            oddities.add("no intent", block.rows[0][0], "the utterance has no intent; its tags alone are used")
        tags: list[str] = []
        previous = (OUTSIDE, OUTSIDE)
        for line, columns in rows:
            text = columns[tag_column] if len(columns) >= layout.width else OUTSIDE
            tag, assumption = read_tag(text, slots, previous)
            if assumption:
                oddities.add("outside" if tag == OUTSIDE else "prefix", line, assumption)
            previous = text, tag
            tags.append(tag)
        yield Utterance(tuple(columns[layout.word] for _, columns in rows), intent, tuple(tags))


def _rows_with_word(block: _Block, layout: Layout, oddities: _Oddities) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that have a word, and note those that have none or lack labels."""
    for line, columns in block.rows:
        if not _holds_word(columns, layout):
            oddities.add("no word", line, "no word; the line is left out")
            continue
        if len(columns) < layout.width:
            oddities.add("width", line, f"{len(columns)} columns, not {layout.width}; the word has no label")
        yield line, columns


def _first_intent(columns: Sequence[str], layout: Layout) -> str | None:
    """Return the intent in the line of an utterance's first word; None if it has none."""
    if layout.intent is None or len(columns) < layout.width or columns[layout.intent] in EMPTY:
        return None
    return columns[layout.intent]


def _holds_word(columns: Sequence[str], layout: Layout) -> bool:
    """Return whether a line has a word: it has the columns of the others, or at least begins with a number."""
    if len(columns) <= layout.word or not columns[layout.word]:
        return False
    return len(columns) == layout.width or not layout.numbered or columns[0].isdecimal()
