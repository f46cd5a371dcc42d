"""What a joint model, or several together, say of each word and each sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from neoai_utils.crosslingual.conll import OUTSIDE, Labels, Utterance
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.runtime import refuse_nan

__all__ = ["Answers", "consensus", "labelled", "predict"]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answers:
    """Probabilities for some utterances.

    Attributes:
        intents: (n, intents) float32.
        slots: for each utterance (words, tags) float32; a word that was cut off is `O` for sure.
    """

    intents: Floats
    slots: tuple[Floats, ...]


def predict(model: JointModel, collate: Collator, utterances: Sequence[Utterance], batch: int = 128) -> Answers:
    """Return a model's probabilities; labels that the utterances carry are not looked at.

    Args:
        model: trained on batches of the same collator.
        collate: makes the batches.
        utterances: at least one.
        batch: how many at a time.
    """
    device = model.intent_head.weight.device
    intents, slots = [], []
    for start in range(0, len(utterances), batch):
        encoded = collate([Utterance(utterance.words) for utterance in utterances[start : start + batch]])
        with torch.inference_mode():
            found = model(encoded.pieces.to(device), encoded.mask.to(device))
        refuse_nan(found.intents, "the intents")
        refuse_nan(found.slots, "the slots")
        intents.append(found.intents.softmax(-1).float().cpu().numpy())
        pieces = found.slots.softmax(-1).float().cpu().numpy()
        slots += [_of_words(row, places, collate.labels) for row, places in zip(pieces, encoded.places, strict=True)]
    return Answers(np.concatenate(intents), tuple(slots))


def consensus(answers: Sequence[Answers]) -> Answers:
    """Return the mean of several models' probabilities."""
    intents = np.mean([answer.intents for answer in answers], axis=0)
    slots = [np.mean(words, axis=0) for words in zip(*(answer.slots for answer in answers), strict=True)]
    return Answers(intents, tuple(slots))


def labelled(utterances: Sequence[Utterance], answers: Answers, labels: Labels) -> list[Utterance]:
    """Return the utterances with the likeliest intent and tags."""
    return [
        Utterance(
            utterance.words,
            labels.intents[int(intent.argmax())],
            tuple(labels.tags[place] for place in words.argmax(1)),
        )
        for utterance, intent, words in zip(utterances, answers.intents, answers.slots, strict=True)
    ]


def _of_words(pieces: Floats, places: Sequence[int | None], labels: Labels) -> Floats:
    outside = np.eye(len(labels.tags), dtype=np.float32)[labels.tags.index(OUTSIDE)]
    return np.stack([outside if place is None else pieces[place] for place in places])
