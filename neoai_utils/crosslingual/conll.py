"""Sentences with an intent and a slot tag for each word, in xSID's form of CoNLL (van der Goot et al., 2105.07316).

An utterance is a block of lines ended by an empty one. Lines that begin with `#` are comments. Each other line holds,
separated by tabs, the word's number, the word, the utterance's intent and the word's slot tag. `NoLabel` stands for
`O`. Where the answers are hidden, intent and tag may be missing. Files in which this is a little different are read
with a warning: their layout is told from their columns.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from neoai_utils import errors
from neoai_utils.crosslingual.tags import OUTSIDE, is_tag, read_tag, slots_of
from neoai_utils.errors import DataError
from neoai_utils.reading import read_text
from neoai_utils.storage import atomic_path

__all__ = ["OUTSIDE", "Labels", "Utterance", "labels_of", "read", "write"]

_LINE_END = re.compile(r"\r\n|\r|\n")
_INTENT = re.compile(r"#\s*intent\s*[:=]\s*(\S+)", re.I)
_USUAL = 4  # columns of a labelled line
_LOOKED_AT = 20_000  # lines, of which a large file has half a million
_NOTHING = ("", "_", "-", "?")


@dataclass(frozen=True)
class Utterance:
    """A sentence in words.

    Attributes:
        words: at least one.
        intent: what the speaker wants, as the first word's line says (real files contradict themselves now and then);
            None where it is hidden or missing.
        slots: one tag for each word, `O`, `B-…` or `I-…`; None where they are hidden.
    """

    words: tuple[str, ...]
    intent: str | None = None
    slots: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Labels:
    """The names behind the label numbers, in a fixed order."""

    intents: tuple[str, ...]
    tags: tuple[str, ...]


def labels_of(utterances: Sequence[Utterance]) -> Labels:
    """Return the labels of some labelled utterances, sorted, so that a saved model's heads can be read again.

    Every slot has both its tags, even if only one of them occurs: other utterances may need the other.
    """
    names = sorted({tag[2:] for utterance in utterances for tag in utterance.slots or () if tag != OUTSIDE})
    intents = sorted({utterance.intent for utterance in utterances if utterance.intent is not None})
    return Labels(tuple(intents), (OUTSIDE, *(f"{part}-{name}" for name in names for part in "BI")))


def read(path: Path, *, labelled: bool) -> tuple[Utterance, ...]:
    """Read a file; what is unusual in it is told by one warning for each kind, with the first line and their number.

    Blanks for tabs, further columns, columns in another order or without numbers, tags without or with other prefixes,
    and utterances without an intent are read as well as they can be.

    Args:
        path: the file.
        labelled: whether there must be tags and intents. If not, only the words are read.

    Raises:
        DataError: the file is missing, no text, or has no utterance; it must be labelled and no column holds tags; or
            it is not labelled, so that every word counts, and a line's word cannot be told (which line is
            named).
    """
    lines = _LINE_END.split(read_text(path))
    layout = _layout(path, lines, labelled)
    noted = _Noted(path)
    blocks = _separated(list(_blocks(lines, layout)), layout, noted)
    utterances = tuple(_labelled(blocks, layout, noted) if labelled else _unlabelled(blocks, layout, noted))
    if not utterances:
        raise DataError(f"{path} holds no utterance. Copy the file again.")
    noted.tell()
    return utterances


def write(utterances: Iterable[Utterance], path: Path) -> None:
    """Write a file that `read` reads back; hidden intents and tags leave their columns out."""
    blocks = []
    for utterance in utterances:
        lines = [f"# text: {' '.join(utterance.words)}"]
        for number, word in enumerate(utterance.words, start=1):
            labels = [] if utterance.slots is None else [str(utterance.intent), utterance.slots[number - 1]]
            lines.append("\t".join([str(number), word, *labels]))
        blocks.append("\n".join(lines) + "\n")
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(blocks), encoding="utf-8")


# ------------------------------------------------------------------------------------------------- what stands where


@dataclass(frozen=True)
class _Layout:
    """How a file's lines are built.

    Attributes:
        path: the file.
        tabs: whether columns are separated by tabs, else by blanks.
        width: columns of most lines.
        numbered: whether the first column numbers the words.
        intent: the column of the intent; None: there is none.
        tag: the column of the slot tag; None: there is none, or nobody asks.
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
        """Return the columns of a line; one that has blanks where the others have tabs is cut at those."""
        columns = _split(line, self.tabs)
        other = line.split()
        return other if len(columns) != self.width == len(other) else columns

    def is_comment(self, line: str) -> bool:
        """Return whether a line is a comment; `#` may also be a word, but then its line looks like the others."""
        if not line.startswith("#"):
            return line.startswith("-DOCSTART-")
        columns = _split(line, self.tabs)
        return self.numbered or self.tag is None or len(columns) != self.width or not is_tag(columns[self.tag])


@dataclass
class _Noted:
    """What is unusual in a file: for each kind the first line, what was assumed there, and how often it occurs."""

    path: Path
    found: dict[str, tuple[int, str, int]] = field(default_factory=dict)

    def add(self, kind: str, line: int, assumed: str) -> None:
        """Count a line."""
        first, told, count = self.found.get(kind, (line, assumed, 0))
        self.found[kind] = first, told, count + 1

    def tell(self) -> None:
        """Give a warning for each kind."""
        for line, assumed, count in self.found.values():
            errors.warn(
                f"{self.path}, line {line}: {assumed}" + (f"; {count} cases of this kind." if count > 1 else ".")
            )


def _split(line: str, tabs: bool) -> list[str]:
    return [column.strip() for column in line.rstrip().split("\t")] if tabs else line.split()


def _layout(path: Path, lines: Sequence[str], labelled: bool) -> _Layout:
    """Tell from the first lines of a file what its columns hold."""
    lines = lines[:_LOOKED_AT]
    rows = [line for line in lines if line.strip() and not line.startswith(("#", "-DOCSTART-"))]
    if not rows:
        raise DataError(f"{path} holds no utterance. Copy the file again.")
    tabs = sum("\t" in line for line in rows) * 2 > len(rows)
    split = [_split(line, tabs) for line in rows]
    width = Counter(map(len, split)).most_common(1)[0][0]
    full = [columns for columns in split if len(columns) == width]
    numbered = width > 1 and sum(columns[0].isdecimal() for columns in full) * 2 > len(full)
    tag = _tag_column(full, width, numbered)
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
    intent = None
    if tag is not None:
        pairs = pairwise(_split(line, tabs) for line in lines)
        neighbours = [(one, two) for one, two in pairs if len(one) == len(two) == width]
        intent = _intent_column(neighbours, [c for c in range(int(numbered) + 1, width) if c != tag], tag)
    layout = _Layout(path, tabs, width, numbered, intent, tag)
    _tell_layout(layout, labelled)
    return layout


def _tag_column(rows: Sequence[Sequence[str]], width: int, numbered: bool) -> int | None:
    """Return the column that holds slot tags: the usual place, unless another one fits and that one does not."""
    usual = _USUAL - 1 if numbered else _USUAL - 2
    shares = {
        column: sum(is_tag(row[column]) or row[column] in _NOTHING for row in rows) / len(rows)
        for column in range(int(numbered) + 1, width)
    }
    fitting = [column for column in shares if shares[column] >= 0.5]
    if usual in fitting or (usual in shares and not fitting):
        return usual
    return max(fitting, key=lambda column: (shares[column], column), default=None)


def _intent_column(neighbours: Sequence[tuple[list[str], list[str]]], others: Sequence[int], tag: int) -> int | None:
    """Return the column whose value stays the same from word to word most often; in doubt the one before the tag."""

    def rank(column: int) -> tuple[int, bool]:
        same = sum(one[column] == two[column] and one[column] not in _NOTHING for one, two in neighbours)
        return same, column + 1 == tag

    return max(others, key=rank, default=None)


def _tell_layout(layout: _Layout, labelled: bool) -> None:
    """Warn of a layout that is not the usual one."""
    roles = {layout.word: "word"} | ({0: "word number"} if layout.numbered else {})
    if labelled:
        roles |= {column: name for column, name in ((layout.intent, "intent"), (layout.tag, "slot tag")) if column}
    usual = layout.width == _USUAL if labelled else layout.width in (2, _USUAL)
    if layout.tabs and layout.numbered and usual and (not labelled or layout.tag == _USUAL - 1):
        return
    names = ", ".join(roles.get(column, "(not used)") for column in range(layout.width))
    errors.warn(f"{layout.path}: its lines are read as {names}, separated by {'tabs' if layout.tabs else 'blanks'}.")


# ---------------------------------------------------------------------------------------------------- line by line

_Rows = list[tuple[int, list[str]]]


@dataclass(frozen=True)
class _Block:
    """An utterance's lines: (line number, columns) of each word, and the intent that a comment names."""

    rows: _Rows
    intent: str | None = None


def _blocks(lines: Sequence[str], layout: _Layout) -> Iterator[_Block]:
    rows: _Rows = []
    intent = None
    for number, line in enumerate([*lines, ""], start=1):
        if layout.is_comment(line):
            found = _INTENT.match(line)
            intent = found[1] if found else intent
        elif line.strip():
            rows.append((number, layout.split(line)))
        elif rows:
            yield _Block(rows, intent)
            rows, intent = [], None


def _separated(blocks: list[_Block], layout: _Layout, noted: _Noted) -> list[_Block]:
    """Return the utterances of a file without empty lines, in which the words' numbers start anew."""
    if len(blocks) > 1 or not layout.numbered:
        return blocks
    rows = blocks[0].rows
    numbers = [int(columns[0]) if columns[0].isdecimal() else -1 for _, columns in rows]
    starts = [place for place, number in enumerate(numbers) if number == numbers[0]]
    counted = all(now in (before + 1, numbers[0]) for before, now in pairwise(numbers))
    if len(starts) in (1, len(rows)) or not counted:  # real files miscount now and then
        return blocks
    noted.add("no empty lines", rows[0][0], "no empty line ends an utterance; each begins where the numbers do")
    return [_Block(rows[first:last]) for first, last in zip(starts, [*starts[1:], len(rows)], strict=True)]


def _unlabelled(blocks: Iterable[_Block], layout: _Layout, noted: _Noted) -> Iterator[Utterance]:
    """Yield the words alone; every one of them is answered, so a doubtful line stops the reading."""
    for block in blocks:
        words = []
        for line, columns in block.rows:
            if not _holds_word(columns, layout) or (not layout.tabs and len(columns) != layout.width):
                raise DataError(
                    f"{layout.path}, line {line}: expected {'a word number and ' if layout.numbered else ''}a word, "
                    f"found the columns {columns}; every word needs its tag in the submission. Copy the file again."
                )
            if len(columns) != layout.width:
                noted.add("width", line, f"{len(columns)} columns, not {layout.width}; the word alone is used")
            words.append(columns[layout.word])
        yield Utterance(tuple(words))


def _labelled(blocks: Sequence[_Block], layout: _Layout, noted: _Noted) -> Iterator[Utterance]:
    """Yield the utterances with intents and tags; a line without a word is left out."""
    tag_column = layout.tag or 0
    known = slots_of(c[tag_column] for block in blocks for _, c in block.rows if len(c) >= layout.width)
    for block in blocks:
        words: list[str] = []
        tags: list[str] = []
        intent = block.intent
        before = (OUTSIDE, OUTSIDE)
        for line, columns in block.rows:
            if not _holds_word(columns, layout):
                noted.add("no word", line, "no word; the line is left out")
                continue
            text = OUTSIDE
            if len(columns) < layout.width:
                noted.add("width", line, f"{len(columns)} columns, not {layout.width}; the word has no label")
            else:
                text = columns[tag_column]
                if not words and layout.intent is not None and columns[layout.intent] not in _NOTHING:
                    intent = columns[layout.intent]
            tag, assumed = read_tag(text, known, before)
            if assumed:
                noted.add("outside" if tag == OUTSIDE else "prefix", line, assumed)
            before = text, tag
            words.append(columns[layout.word])
            tags.append(tag)
        if intent is None and words:
            noted.add("no intent", block.rows[0][0], "the utterance has no intent; its tags alone are used")
        if words:
            yield Utterance(tuple(words), intent, tuple(tags))


def _holds_word(columns: Sequence[str], layout: _Layout) -> bool:
    """Return whether the word's column has one, in a line that is as the others are or at least begins so."""
    if len(columns) <= layout.word or not columns[layout.word]:
        return False
    return len(columns) == layout.width or not layout.numbered or columns[0].isdecimal()
