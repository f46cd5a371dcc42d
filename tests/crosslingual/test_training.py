"""Fine-tuning, on a tiny BERT."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.prediction import labelled, predict
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, batches, fine_tune
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError
from tests.crosslingual.conftest import LABELS, PLAY, WAKE

PLAN = TrainingPlan(steps=80, batch=4, learning_rate=1e-2)
BOTH = [UtteranceSource([WAKE, PLAY])]


@pytest.mark.parametrize("alignment", ["position", "first token"])
def test_it_learns_two_utterances_and_answers_word_by_word(encoder, tokenizer, alignment):
    collate = Collator(tokenizer, LABELS, alignment)
    model = fine_tune(encoder, collate, BOTH, PLAN, seed=0)
    assert not model.training
    bare = [Utterance(WAKE.words), Utterance(PLAY.words)]
    answers = predict(model, collate, bare)
    assert labelled(bare, answers, LABELS) == [WAKE, PLAY]
    assert answers.intents.sum(1) == pytest.approx(1, abs=1e-5)
    assert [words.shape for words in answers.slots] == [(3, 3), (1, 3)]


def test_the_same_seed_gives_the_same_weights(encoder, tokenizer):
    plan = replace(PLAN, steps=5)
    first, second, other = (
        fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, plan, seed).state_dict() for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_gradients_are_cut_and_the_encoder_given_is_left_alone(encoder, tokenizer):
    """With gradients cut to almost nothing, AdamW's decay of one in 10^4 is all that a step does."""
    before = copy.deepcopy(encoder.state_dict())
    plan = replace(PLAN, steps=1, scheduled=False)
    still, moved = (
        fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(plan, max_norm=clip), seed=0).encoder.state_dict()
        for clip in (1e-12, None)
    )
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.state_dict().items())
    assert all(torch.allclose(weight, before[name], rtol=2e-4, atol=2e-4) for name, weight in still.items())
    assert any(not torch.allclose(weight, before[name], rtol=2e-4, atol=5e-3) for name, weight in moved.items())


def test_shares_and_orders_of_the_parts():
    many = [Utterance((str(number),)) for number in range(50)]
    few = [Utterance(("x",)), Utterance(("y",))]
    drawn = [
        u.words[0]
        for b in batches([UtteranceSource(many, 3.0), UtteranceSource(few)], 20, 50, np.random.default_rng(0))
        for u in b
    ]
    counts = Counter(drawn)
    assert len(drawn) == 1000
    assert counts["x"] + counts["y"] == pytest.approx(250, abs=45)
    assert abs(counts["x"] - counts["y"]) <= 1
    assert max(counts[u.words[0]] for u in many) - min(counts[u.words[0]] for u in many) <= 1


def test_parts_may_change_what_they_give():
    source = UtteranceSource([PLAY], change=lambda utterance, rng: replace(utterance, words=(str(rng.integers(1000)),)))
    drawn = {u.words for b in batches([source], 5, 4, np.random.default_rng(0)) for u in b}
    assert len(drawn) > 15


def test_weights_say_how_often_an_utterance_is_drawn():
    words = [Utterance((letter,)) for letter in "abc"]
    source = UtteranceSource(words, weights=[3.0, 1.0, 0.0])
    drawn = Counter(u.words[0] for b in batches([source], 20, 50, np.random.default_rng(0)) for u in b)
    assert drawn["a"] == pytest.approx(750, abs=45)
    assert drawn["b"] == pytest.approx(250, abs=45)
    assert drawn["c"] == 0


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_weights_that_fit_no_utterances(weights):
    source = UtteranceSource([WAKE, PLAY], weights=weights)
    with pytest.raises(ParameterError, match="2 utterances need as many weights"):
        next(batches([source], 2, 1, np.random.default_rng(0)))


@pytest.mark.parametrize("sources", [[], [UtteranceSource([])], [UtteranceSource([PLAY], share=0.0)]])
def test_nothing_to_train_on(sources):
    with pytest.raises(ParameterError, match="nothing to train on"):
        next(batches(sources, 2, 1, np.random.default_rng(0)))
