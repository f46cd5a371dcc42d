"""The competition's metric: the mean of two weighted F1 scores, of the intents and of the words' slot tags."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.scores import Grades

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
    from sklearn.metrics import f1_score

    predicted_slots, true_slots = ([list(u.slots or ()) for u in part] for part in (predictions, truth))
    predicted_tags, true_tags = ([tag for tags in part for tag in tags] for part in (predicted_slots, true_slots))
    pairs = [(t.intent, p.intent or "") for t, p in zip(truth, predictions, strict=True) if t.intent is not None]
    slot = float(f1_score(true_tags, predicted_tags, average="weighted", zero_division=0))
    intent = float(f1_score(*zip(*pairs, strict=True), average="weighted", zero_division=0)) if pairs else slot
    parts = {"intent": intent, "slot": slot}
    if importlib.util.find_spec("seqeval") is not None:
        from seqeval.metrics import f1_score as span_f1

        parts["spans"] = float(span_f1(true_slots, predicted_slots, zero_division=0))
    return Grades((intent + slot) / 2, parts)
