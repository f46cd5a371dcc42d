"""The size of trainings at the miniature's and the competition's sizes, and the warning of long ones."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from neoai_utils.crosslingual import planning
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.planning import announce_trainings, at_most, batch_size, planned
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource
from tests.crosslingual.conftest import LABELS, PLAY, WAKE


@pytest.mark.parametrize(
    ("sentences", "most", "size"), [(0, 64, 8), (3000, 64, 32), (37121, 64, 64), (37121, 256, 256)]
)
def test_batches(sentences, most, size):
    assert batch_size(sentences, most) == size


@pytest.mark.parametrize(
    ("layers", "width", "sentences", "plan"),
    [
        (2, 384, 3000, TrainingPlan(250, 32, 1e-3)),
        (12, 768, 37121, TrainingPlan(1160, 64, 5e-5)),
        (24, 1536, 37121, TrainingPlan(1160, 64, 2.5e-5)),
    ],
)
def test_plans(layers, width, sentences, plan):
    encoder = SimpleNamespace(config=SimpleNamespace(num_hidden_layers=layers, hidden_size=width))
    assert planned(sentences, encoder) == plan
    assert planned(sentences, encoder, steps=7, learning_rate=0.1) == TrainingPlan(7, plan.batch, 0.1)


def test_too_many_texts_are_told(capsys):
    texts = [f"text {number}" for number in range(1000)]
    assert at_most(texts, 1000, "texts", 0) == tuple(texts)
    assert capsys.readouterr().out == ""
    some = at_most(texts, 100, "texts", 0)
    assert len(set(some)) == 100
    assert list(some) == [text for text in texts if text in set(some)], "the order is kept"
    assert capsys.readouterr().out == "1,000 texts: a random 100 of them are used\n"
    assert at_most(texts, 100, "texts", 0) == some


def test_long_trainings_are_told_before_they_start(monkeypatch, encoder, tokenizer, capsys):
    source = UtteranceSource([WAKE, PLAY])
    plan = TrainingPlan(steps=1000, batch=2, learning_rate=1e-3)
    announce_trainings(encoder, Collator(tokenizer, LABELS), source, plan, trainings=1)
    assert capsys.readouterr().out == ""

    class Watch:
        """Ten seconds of preparation and nine seconds an update."""

        seconds = 0.0

        def __enter__(self):
            self.seconds = 10.0 + 9 * done[-1]
            return self

        def __exit__(self, *_):
            self.seconds = 10.0 + 9 * done[-1]

    done = [0]
    monkeypatch.setattr(planning, "stopwatch", Watch)
    monkeypatch.setattr(planning, "fine_tune", lambda *given, seed: done.append(given[3].steps))
    announce_trainings(encoder, Collator(tokenizer, LABELS), source, plan, trainings=4)
    text = capsys.readouterr().out
    assert "4 trainings of 1,000 updates at 9.0 s take about 10 hours" in text
    assert "set the parameter steps to 200: then it is about 2 hours" in text
    monkeypatch.setattr(planning, "pick_device", lambda *, quiet: SimpleNamespace(type="cuda"))
    announce_trainings(encoder, Collator(tokenizer, LABELS), source, plan, trainings=4)
    assert capsys.readouterr().out == ""
