"""Predictions of one model and of several, on a tiny BERT."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.crosslingual.prediction import averaged, averages_of_two, predict
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import NotANumberError
from tests.crosslingual.conftest import LABELS, PLAY, WAKE, predictions

PLAN = TrainingPlan(steps=80, batch=4, learning_rate=1e-2)
BOTH = [UtteranceSource([WAKE, PLAY])]


@pytest.fixture
def model(encoder) -> JointModel:
    return JointModel(encoder, len(LABELS.intents), len(LABELS.tags))


def test_no_utterance_no_prediction(encoder, tokenizer):
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=1), seed=0)
    answers = predict(model, Collator(tokenizer, LABELS), [])
    assert answers.intents.shape == (0, len(LABELS.intents))
    assert answers.slots == ()


def test_predictions_do_not_depend_on_labels_or_on_company(encoder, tokenizer):
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=3), seed=0)
    together = predict(model, Collator(tokenizer, LABELS), [WAKE, PLAY])
    alone = predict(model, Collator(tokenizer, LABELS), [Utterance(WAKE.words), Utterance(PLAY.words)], batch=1)
    assert np.allclose(together.intents, alone.intents, atol=1e-5)
    for first, second in zip(together.slots, alone.slots, strict=True):
        assert np.allclose(first, second, atol=1e-5)


def test_words_that_were_cut_off_are_outside(encoder, tokenizer):
    long = Utterance(("play",) * 70)
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=1), seed=0)
    model.encoder.embeddings.position_embeddings = torch.nn.Embedding(64, 16)  # room for the 64 tokens that are kept
    model.encoder.embeddings.register_buffer("position_ids", torch.arange(64)[None], persistent=False)
    model.encoder.embeddings.register_buffer("token_type_ids", torch.zeros(1, 64, dtype=torch.long), persistent=False)
    words = predict(model, Collator(tokenizer, LABELS), [long]).slots[0]
    assert words.shape == (70, 3)
    assert (words[62:] == [1, 0, 0]).all()
    assert (words[:62, 0] < 1).all()


def test_the_average_is_the_mean_of_the_probabilities():
    found = averaged([predictions([[1, 0]], [[1, 0, 0]]), predictions([[0.5, 0.5]], [[0, 1, 0]])])
    assert found.intents.tolist() == [[0.75, 0.25]]
    assert found.slots[0].tolist() == [[0.5, 0.5, 0.0]]


def test_every_two_predictors_are_averaged_once_and_in_order():
    shares = {"a": 1.0, "b": 0.5, "c": 0.0}
    given = {name: predictions([[share, 1 - share]], [[share, 1 - share, 0]]) for name, share in shares.items()}
    pairs = averages_of_two({name: lambda utterances, name=name: given[name] for name in given})
    assert list(pairs) == ["a + b", "a + c", "b + c"]
    assert [pair([PLAY]).intents[0, 0] for pair in pairs.values()] == [0.75, 0.5, 0.25]
    assert averages_of_two({}) == {}


@pytest.mark.parametrize("head", ["intent_head", "slot_head"])
def test_predictions_that_are_no_number_are_refused(tokenizer, model, head):
    with torch.no_grad():
        getattr(model, head).bias[0] = float("nan")
    with pytest.raises(NotANumberError, match=head.partition("_")[0]):
        predict(model.eval(), Collator(tokenizer, LABELS), [WAKE])
