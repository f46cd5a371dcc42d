"""Slot tags carried from an English sentence to its Russian translation along word alignments.

Each Russian word takes the slot of the English word that it most likely translates (Yarowsky, Ngai and Wicentowski
2001, H01-1035). The prefixes are then corrected: a slot's first word has `B-`, the words that follow it have `I-`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neoai_utils.crosslingual.tags import OUTSIDE, valid_tags
from neoai_utils.errors import ParameterError

__all__ = ["align", "project"]


def align(
    source: Sequence[str],
    target: Sequence[str],
    scores: Mapping[tuple[str, str], float],
    threshold: float = 0.01,
) -> tuple[int | None, ...]:
    """Return for each target word the index of its source word; None where no score is above the threshold.

    Args:
        source: words.
        target: words.
        scores: (source word, target word) -> `word_translation.agreement`, the product of both directions'
            probabilities. With one direction alone every particle gets a source word.
        threshold: scores up to this one do not count.
    """

    def best(word: str) -> int | None:
        values = [scores.get((candidate, word), 0.0) for candidate in source]
        index = max(range(len(values)), key=values.__getitem__, default=None)
        return None if index is None or values[index] <= threshold else index

    return tuple(best(word) for word in target)


def project(tags: Sequence[str], alignment: Sequence[int | None]) -> tuple[str, ...]:
    """Return the target words' tags.

    Args:
        tags: of the source words.
        alignment: for each target word the index of its source word, or None.

    Raises:
        ParameterError: an index is outside the source sentence.
    """
    wrong = [index for index in alignment if index is not None and not 0 <= index < len(tags)]
    if wrong:
        raise ParameterError(f"the alignment names source word {wrong[0]}, but there are {len(tags)}.")
    return valid_tags([OUTSIDE if index is None else tags[index] for index in alignment])
