"""Self-training on the model's confident predictions: pseudo-labels (Lee 2013).

An utterance is used if the probability of its intent is high. Within it, words whose tag has a low probability get no
tag, so that the model is not trained on its doubtful predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from neoai_utils.arrays import Mask
from neoai_utils.crosslingual.prediction import Predictions, labelled
from neoai_utils.crosslingual.utterances import Labels, Utterance
from neoai_utils.errors import ParameterError

__all__ = ["UNSURE", "confident"]

UNSURE = "?"
"""Stands for an unknown tag; it is no label, so the loss leaves the word out."""


def confident(
    utterances: Sequence[Utterance],
    predictions: Predictions,
    labels: Labels,
    *,
    min_intent: float = 0.5,
    min_tag: float = 0.6,
) -> list[Utterance]:
    """Return the utterances with a confident intent, with their predicted labels.

    Args:
        utterances: unlabelled.
        predictions: the model's, for these utterances.
        labels: the names.
        min_intent: smallest probability of the intent of an utterance that is returned.
        min_tag: smallest probability of a tag; words below it get `UNSURE`.

    Raises:
        ParameterError: a probability is not between 0 and 1.
    """
    if not (0 <= min_intent <= 1 and 0 <= min_tag <= 1):
        raise ParameterError(f"probabilities lie between 0 and 1, got min_intent={min_intent}, min_tag={min_tag}.")
    named = labelled(utterances, predictions, labels)
    return [
        replace(utterance, slots=_confident_tags(utterance.slots or (), words.max(1) >= min_tag))
        for utterance, intent, words in zip(named, predictions.intents.max(1), predictions.slots, strict=True)
        if intent >= min_intent
    ]


def _confident_tags(tags: Sequence[str], confident_words: Mask) -> tuple[str, ...]:
    return tuple(tag if sure else UNSURE for tag, sure in zip(tags, confident_words, strict=True))
