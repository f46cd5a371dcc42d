"""The competition's metric: the mean of two weighted F1 scores, of the intents and of the words' slot tags."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.scores import Grades, bootstrap

__all__ = ["grade"]


def grade(predictions: Sequence[Utterance], truth: Sequence[Utterance]) -> Grades:
    """Return the grades of predicted intents and slot tags.

    Utterances whose true intent is missing count in the slots alone. seqeval counts whole slots; where it is not
    installed, `spans` is left out.

    Args:
        predictions: utterances with the predicted intent and tags.
        truth: the same utterances with the true labels, in the same order.

    Returns:
        The score is the mean of the parts `intent` and `slot`; the part `spans` is the micro-averaged F1 of whole
        slots, as CoNLL-2000 counts them.

    Raises:
        ValueError: there are more predictions than true utterances, or fewer.
    """
    predicted_slots, true_slots = ([list(u.slots or ()) for u in part] for part in (predictions, truth))
    intents: list[tuple[list[str], list[str]]] = [
        ([p.intent or ""], [t.intent]) if t.intent is not None else ([], [])
        for t, p in zip(truth, predictions, strict=True)
    ]
    slot_f1 = _WeightedF1(list(zip(predicted_slots, true_slots, strict=True)))
    intent_f1 = _WeightedF1(intents) if any(right for _, right in intents) else slot_f1
    once = np.ones(len(truth), dtype=np.int64)
    parts = {"intent": intent_f1(once), "slot": slot_f1(once)}
    if importlib.util.find_spec("seqeval") is not None:
        from seqeval.metrics import f1_score as span_f1

        parts["spans"] = float(span_f1(true_slots, predicted_slots, zero_division=0))
    draws = bootstrap(lambda counts: (intent_f1(counts) + slot_f1(counts)) / 2, len(truth))
    return Grades((parts["intent"] + parts["slot"]) / 2, parts, draws)


class _WeightedF1:
    """scikit-learn's weighted F1 of labels that come in groups, for any number of copies of each group.

    The hundreds of draws of a bootstrap take milliseconds; `f1_score` would sort the labels anew each time.
    """

    def __init__(self, groups: Sequence[tuple[Sequence[str], Sequence[str]]]) -> None:
        """Prepare.

        Args:
            groups: (predicted, true) labels of each utterance, as many of the one as of the other.
        """
        self._group = np.repeat(np.arange(len(groups)), [len(true) for _, true in groups])
        predicted, true = ([label for group in groups for label in group[side]] for side in (0, 1))
        self._names, codes = np.unique([*predicted, *true], return_inverse=True)
        self._predicted, self._true = codes[: len(predicted)], codes[len(predicted) :]

    def __call__(self, counts: NDArray[np.int64]) -> float:
        """Return the score where each group occurs `counts` times; 0 without labels."""
        weights = counts[self._group].astype(np.float64)
        right = weights * (self._predicted == self._true)
        size = len(self._names)
        hits, guessed, there = (
            np.bincount(codes, values, minlength=size)
            for codes, values in ((self._true, right), (self._predicted, weights), (self._true, weights))
        )
        f1 = 2 * hits / np.maximum(guessed + there, 1)
        return float(np.average(f1, weights=there)) if there.any() else 0.0
