"""Slot tags carried from an English sentence to its Russian translation along word alignments.

Each Russian word takes the slot of the English word that it most likely translates (Yarowsky, Ngai and Wicentowski
2001, H01-1035). The prefixes are then corrected: a slot's first word has `B-`, the words that follow it have `I-`.

A slot word that no Russian word translates loses its tag, and its real translation is tagged `O`. Such a sentence
teaches something wrong, so it should count less: `coverage` measures how many slot words were found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neoai_utils.crosslingual.tags import OUTSIDE, valid_tags
from neoai_utils.errors import ParameterError

__all__ = ["align", "coverage", "project"]


def align(
    source: Sequence[str],
    target: Sequence[str],
    scores: Mapping[tuple[str, str], float],
    threshold: float = 0.01,
) -> tuple[int | None, ...]:
    """Return for each target word the index of its source word; None where no score is above the threshold.

    A source word may occur twice, for example a number. Of equal scores, that of a word that is still free wins, then
    that of the word with the most similar position.

    Args:
        source: words.
        target: words.
        scores: (source word, target word) -> `word_translation.agreement`, the product of both directions'
            probabilities. With one direction alone every particle gets a source word.
        threshold: scores up to this one do not count.
    """
    alignment: list[int | None] = []
    for number, word in enumerate(target):
        position = (number + 0.5) / len(target) * len(source) - 0.5
        ranked = [
            (scores.get((candidate, word), 0.0), index not in alignment, -abs(index - position), index)
            for index, candidate in enumerate(source)
        ]
        score, _, _, best = max(ranked, default=(0.0, True, 0.0, 0))
        alignment.append(best if score > threshold else None)
    return tuple(alignment)


def coverage(tags: Sequence[str], alignment: Sequence[int | None]) -> float:
    """Return the share of the source's slot words that some target word translates; 1 without a slot word.

    Args:
        tags: of the source words.
        alignment: for each target word the index of its source word, or None.
    """
    slot_words = {index for index, tag in enumerate(tags) if tag != OUTSIDE}
    return len(slot_words & set(alignment)) / len(slot_words) if slot_words else 1.0


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
