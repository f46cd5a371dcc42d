"""Slot tags carried from an English sentence to its Russian translation along word alignments.

Each Russian word takes the slot of the English word that most likely made it (Yarowsky, Ngai and Wicentowski 2001,
H01-1035). Tags are then put into order again: a slot's first word is `B-`, the words that follow it are `I-`.
"""

from __future__ import annotations

from collections.abc import Sequence

from neoai_utils.crosslingual.conll import OUTSIDE
from neoai_utils.crosslingual.word_translation import EMPTY, Translations
from neoai_utils.errors import ParameterError

__all__ = ["Aligner", "in_order", "project"]


class Aligner:
    """Finds the source word that made each target word, by the probabilities of IBM model 1."""

    def __init__(self, translations: Translations) -> None:
        """Index the probabilities by word pair."""
        self._values = {
            (translations.sources[row], translations.targets[column]): float(value)
            for row, column, value in zip(translations.rows, translations.columns, translations.values, strict=True)
        }

    def align(self, source: Sequence[str], target: Sequence[str]) -> tuple[int | None, ...]:
        """Return for each target word the place of its source word; None where the empty word is likelier."""
        return tuple(self._best(source, word) for word in target)

    def _best(self, source: Sequence[str], word: str) -> int | None:
        values = [self._values.get((candidate, word), 0.0) for candidate in source]
        best = max(range(len(values)), key=values.__getitem__, default=None)
        if best is None or values[best] <= self._values.get((EMPTY, word), 0.0):
            return None
        return best


def project(tags: Sequence[str], alignment: Sequence[int | None]) -> tuple[str, ...]:
    """Return the target words' tags.

    Args:
        tags: of the source words.
        alignment: for each target word the place of its source word, or None.

    Raises:
        ParameterError: the alignment names a place that the source does not have.
    """
    wrong = [place for place in alignment if place is not None and not 0 <= place < len(tags)]
    if wrong:
        raise ParameterError(f"the alignment names source word {wrong[0]}, but there are {len(tags)}.")
    return in_order([OUTSIDE if place is None else tags[place] for place in alignment])


def in_order(tags: Sequence[str]) -> tuple[str, ...]:
    """Return the tags with `B-` at the first word of each run of the same slot and `I-` at the others."""
    found: list[str] = []
    last = ""
    for tag in tags:
        slot = "" if tag == OUTSIDE else tag[2:]
        found.append(OUTSIDE if not slot else f"{'I' if slot == last else 'B'}-{slot}")
        last = slot
    return tuple(found)
