"""Sentences with an intent and a slot tag for each word, and the label names of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neoai_utils.crosslingual.tags import OUTSIDE

__all__ = ["Labels", "Utterance", "labels_of"]


@dataclass(frozen=True)
class Utterance:
    """A sentence in words.

    Attributes:
        words: at least one.
        intent: what the speaker wants, as the first word's line of the file says (real files sometimes contradict
            themselves); None where it is hidden or missing.
        slots: one tag for each word, `O`, `B-…` or `I-…`; None where they are hidden.
    """

    words: tuple[str, ...]
    intent: str | None = None
    slots: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Labels:
    """The names behind the label numbers, in a fixed order.

    Attributes:
        intents: sorted.
        tags: `O`, then `B-…` and `I-…` of each slot.
    """

    intents: tuple[str, ...]
    tags: tuple[str, ...]


def labels_of(utterances: Sequence[Utterance]) -> Labels:
    """Return the labels of labelled utterances, sorted, so that the heads of a saved model keep their meaning.

    Every slot has both its tags, even if only one of them occurs, because other utterances may need the other.
    """
    names = sorted({tag[2:] for utterance in utterances for tag in utterance.slots or () if tag != OUTSIDE})
    intents = sorted({utterance.intent for utterance in utterances if utterance.intent is not None})
    return Labels(tuple(intents), (OUTSIDE, *(f"{part}-{name}" for name in names for part in "BI")))
