"""Sentences with an intent and a slot tag for each word, in xSID's form of CoNLL (van der Goot et al., 2105.07316).

An utterance is a block of lines ended by an empty one. Lines that begin with `#` are comments. Each other line holds,
separated by tabs, the word's number, the word, the utterance's intent and the word's slot tag. `NoLabel` stands for
`O`. Where the answers are hidden, intent and tag may be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neoai_utils.errors import DataError
from neoai_utils.storage import atomic_path

__all__ = ["OUTSIDE", "Labels", "Utterance", "labels_of", "read", "write"]

OUTSIDE = "O"
_NO_LABEL = "NoLabel"
_HIDDEN, _LABELLED = 2, 4  # columns of a line


@dataclass(frozen=True)
class Utterance:
    """A sentence in words.

    Attributes:
        words: at least one.
        intent: what the speaker wants, as the first word's line says (real files contradict themselves now and then);
            None where it is hidden.
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
    intents = sorted({str(utterance.intent) for utterance in utterances})
    return Labels(tuple(intents), (OUTSIDE, *(f"{part}-{name}" for name in names for part in "BI")))


def read(path: Path, *, labelled: bool) -> tuple[Utterance, ...]:
    """Read a file.

    Args:
        path: the file.
        labelled: whether every word must have an intent and a tag. If not, they are read where they are given.

    Raises:
        DataError: the file is missing, no UTF-8 text or empty; or, with the line's number, a line has too few columns,
            a tag is none, a word or its number is missing, or only some words of an utterance have labels.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}. Copy the file again.") from error
    found = tuple(_utterance(block, path, labelled) for block in _blocks(lines))
    if not found:
        raise DataError(f"{path} holds no utterance. Copy the file again.")
    return found


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


def _blocks(lines: list[str]) -> Iterator[list[tuple[int, list[str]]]]:
    """Yield each utterance as (line number, columns) of its words."""
    block: list[tuple[int, list[str]]] = []
    for number, line in enumerate([*lines, ""], start=1):
        columns = line.split("\t")
        if (
            line.startswith("#") and len(columns) < _LABELLED
        ):  # "#" may be a word, but then its line begins with a number
            continue
        if line.strip():
            block.append((number, [column.strip() for column in columns]))
        elif block:
            yield block
            block = []


def _utterance(block: list[tuple[int, list[str]]], path: Path, labelled: bool) -> Utterance:
    words, intents, slots = [], [], []
    for number, columns in block:
        where = f"{path}, line {number}"
        if len(columns) not in ((_LABELLED,) if labelled else (_HIDDEN, _LABELLED)):
            wanted = "word number, word, intent and slot" + ("" if labelled else " (or the first two)")
            raise DataError(f"{where}: expected {wanted} separated by tabs, found {len(columns)} columns.")
        if not columns[0].isdecimal() or not columns[1]:  # real files miscount, so the number's value is not checked
            raise DataError(f"{where}: expected a word's number and the word, found {columns[0]!r} and {columns[1]!r}.")
        words.append(columns[1])
        if len(columns) == _LABELLED:
            intents.append(columns[2])
            slots.append(_tag(columns[3], where))
    if not slots:
        return Utterance(tuple(words))
    if len(slots) != len(words):
        raise DataError(
            f"{path}, line {block[0][0]}: some words of this utterance have labels and some have none. "
            "Copy the file again."
        )
    return Utterance(tuple(words), intents[0], tuple(slots))


def _tag(text: str, where: str) -> str:
    if text in (OUTSIDE, _NO_LABEL):
        return OUTSIDE
    if text[:2] in ("B-", "I-") and len(text) > len("B-"):
        return text
    raise DataError(f"{where}: {text!r} is no slot tag; tags are O, NoLabel, B-… and I-….")
