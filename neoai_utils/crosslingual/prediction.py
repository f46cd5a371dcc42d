"""Predictions of a joint model, or of several models together, for each word and each sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from neoai_utils.arrays import Float32
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.crosslingual.tags import OUTSIDE
from neoai_utils.crosslingual.utterances import Labels, Utterance
from neoai_utils.runtime import pick_device, progress, refuse_nan

__all__ = ["Predictions", "Predictor", "averaged", "averages_of_two", "labelled", "mean_of", "predict"]


@dataclass(frozen=True)
class Predictions:
    """Probabilities for n utterances.

    Attributes:
        intents: (n, intents) float32.
        slots: for each utterance (words, tags) float32; a word that was cut off is `O` with probability 1.
    """

    intents: Float32
    slots: tuple[Float32, ...]


Predictor = Callable[[Sequence[Utterance]], Predictions]
"""Function from utterances to probabilities, for example `predict` with a model and its collator."""


def predict(model: JointModel, collate: Collator, utterances: Sequence[Utterance], batch: int = 128) -> Predictions:
    """Return a model's probabilities; labels of the utterances are ignored.

    The model is on the card for as long as it predicts, in float32: a forward pass is a small part of the time.

    Args:
        model: trained on batches of the same collator.
        collate: makes the batches.
        utterances: any number, also none.
        batch: how many at a time.
    """
    device = pick_device(quiet=True)
    model.to(device)
    intents, slots = [np.zeros((0, len(collate.labels.intents)), np.float32)], []
    for start in progress(range(0, len(utterances), batch), "predicting"):
        encoded = collate([Utterance(utterance.words) for utterance in utterances[start : start + batch]])
        with torch.inference_mode():
            logits = model(encoded.tokens.to(device), encoded.mask.to(device))
        refuse_nan(logits.intents, "the intents")
        refuse_nan(logits.slots, "the slots")
        intents.append(logits.intents.softmax(-1).float().cpu().numpy())
        tokens = logits.slots.softmax(-1).float().cpu().numpy()
        slots += [_of_words(row, indices, collate.labels) for row, indices in zip(tokens, encoded.indices, strict=True)]
    model.to("cpu")
    return Predictions(np.concatenate(intents), tuple(slots))


def averaged(predictions: Sequence[Predictions]) -> Predictions:
    """Return the mean of several models' probabilities for the same utterances."""
    intents = np.mean([one.intents for one in predictions], axis=0)
    slots = [np.mean(words, axis=0) for words in zip(*(one.slots for one in predictions), strict=True)]
    return Predictions(intents, tuple(slots))


def mean_of(predictors: Sequence[Predictor]) -> Predictor:
    """Return the predictor that averages other predictors' probabilities."""
    return lambda utterances: averaged([predictor(utterances) for predictor in predictors])


def averages_of_two(predictors: Mapping[str, Predictor]) -> dict[str, Predictor]:
    """Return the averages of each two of the predictors, in their order, under the name "first + second"."""
    return {
        f"{first} + {second}": mean_of([predictors[first], predictors[second]])
        for first, second in combinations(predictors, 2)
    }


def labelled(utterances: Sequence[Utterance], predictions: Predictions, labels: Labels) -> list[Utterance]:
    """Return the utterances with the most probable intent and tags."""
    return [
        Utterance(
            utterance.words,
            labels.intents[int(intent.argmax())],
            tuple(labels.tags[index] for index in words.argmax(1)),
        )
        for utterance, intent, words in zip(utterances, predictions.intents, predictions.slots, strict=True)
    ]


def _of_words(tokens: Float32, indices: Sequence[int | None], labels: Labels) -> Float32:
    """Return the words' probabilities (words, tags), from those of the tokens (length, tags)."""
    outside = np.eye(len(labels.tags), dtype=np.float32)[labels.tags.index(OUTSIDE)]
    return np.stack([outside if index is None else tokens[index] for index in indices])
