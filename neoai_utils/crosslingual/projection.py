"""Slot tags carried from an English sentence to its Russian translation along word alignments.

Each Russian word takes the slot of the English word that it most likely translates (Yarowsky, Ngai and Wicentowski
2001, H01-1035). Tags are then put into order again: a slot's first word is `B-`, the words that follow it are `I-`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neoai_utils.crosslingual.conll import OUTSIDE
from neoai_utils.errors import ParameterError

__all__ = ["align", "in_order", "project"]


def align(
    source: Sequence[str], target: Sequence[str], agreed: Mapping[tuple[str, str], float], least: float = 0.01
) -> tuple[int | None, ...]:
    """Return for each target word the place of its source word; None where no source word is likely enough.

    Args:
        source: words.
        target: words.
        agreed: (source word, target word) -> how far both directions of translation agree, as
            `word_translation.agreement` says. One direction alone would find a source word for every particle.
        least: smallest agreement that counts.
    """

    def best(word: str) -> int | None:
        values = [agreed.get((candidate, word), 0.0) for candidate in source]
        place = max(range(len(values)), key=values.__getitem__, default=None)
        return None if place is None or values[place] <= least else place

    return tuple(best(word) for word in target)


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
