"""The metric on small examples; `test_files.py` grades whole submissions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score

from neoai_utils.crosslingual import metric
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.scores import Grades

TRUTH = [Utterance(("wake", "me"), "alarm", ("O", "B-who")), Utterance(("jazz",), "music", ("B-genre",))]


def test_perfect_predictions_score_one():
    assert metric.grade(TRUTH, TRUTH) == Grades(1.0, {"intent": 1.0, "slot": 1.0, "spans": 1.0})


def test_the_metric_needs_no_seqeval(monkeypatch):
    """Kaggle's image has none: whole slots are then not counted, and the rest is the same."""
    monkeypatch.setattr(metric.importlib.util, "find_spec", lambda name: None)
    assert metric.grade(TRUTH, TRUTH) == Grades(1.0, {"intent": 1.0, "slot": 1.0})


def test_a_missing_prediction_is_refused():
    with pytest.raises(ValueError, match="shorter"):
        metric.grade(TRUTH[:1], TRUTH)


def test_the_plain_f1_is_scikit_learn_s_for_every_draw():
    """Slots and intents, weighted by how often an utterance was drawn."""
    rng = np.random.default_rng(0)
    names = np.array(["O", "B-place", "I-place"])
    groups = [(list(rng.choice(names, n)), list(rng.choice(names, n))) for n in rng.integers(1, 6, 40)]
    score = metric._WeightedF1(groups)
    for counts in rng.integers(0, 3, (5, len(groups))):
        drawn = [group for group, count in zip(groups, counts, strict=True) for _ in range(count)]
        predicted, true = ([label for group in drawn for label in group[side]] for side in (0, 1))
        assert score(counts) == pytest.approx(f1_score(true, predicted, average="weighted", zero_division=0))


def test_the_error_shrinks_with_the_number_of_utterances():
    guesses = [replace(utterance, intent="x") if number % 2 else utterance for number, utterance in enumerate(TRUTH)]
    few, many = metric.grade(guesses * 10, TRUTH * 10).error, metric.grade(guesses * 160, TRUTH * 160).error
    assert many == pytest.approx(few / 4, rel=0.4)
