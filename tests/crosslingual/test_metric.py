"""The metric on small examples; `test_files.py` grades whole submissions."""

from __future__ import annotations

import pytest

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
