"""Training on what the model itself is sure of: pseudo-labels (Lee 2013; for another language, 2105.07316's relatives).

A sentence counts if the model is sure of its intent. Within it, words whose tag is unsure keep no tag at all, so that
they do not teach the model its own doubts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.crosslingual.prediction import Answers, labelled
from neoai_utils.errors import ParameterError

__all__ = ["UNSURE", "confident"]

UNSURE = "?"
"""Stands where a word's tag is left open; no label, so the loss leaves it out."""


def confident(
    utterances: Sequence[Utterance], answers: Answers, labels: Labels, intent: float = 0.5, word: float = 0.6
) -> list[Utterance]:
    """Return the utterances of which the model is sure, with its labels.

    Args:
        utterances: unlabelled.
        answers: what the model says of them.
        labels: the names.
        intent: smallest probability of an intent for its utterance to count.
        word: smallest probability of a tag; words below have `UNSURE`.

    Raises:
        ParameterError: a probability is not between 0 and 1.
    """
    if not (0 <= intent <= 1 and 0 <= word <= 1):
        raise ParameterError(f"probabilities lie between 0 and 1, got intent={intent}, word={word}.")
    named = labelled(utterances, answers, labels)
    return [
        replace(utterance, slots=_sure(utterance.slots or (), tags.max(1) >= word))
        for utterance, sure, tags in zip(named, answers.intents.max(1), answers.slots, strict=True)
        if sure >= intent
    ]


def _sure(tags: Sequence[str], sure: Sequence[bool]) -> tuple[str, ...]:
    return tuple(tag if known else UNSURE for tag, known in zip(tags, sure, strict=True))
