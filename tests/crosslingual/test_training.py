"""Fine-tuning, answers, consensus and self-training, on a tiny BERT."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.crosslingual.encoding import IGNORED, Collator
from neoai_utils.crosslingual.prediction import Answers, consensus, labelled, predict
from neoai_utils.crosslingual.self_training import UNSURE, confident
from neoai_utils.crosslingual.training import Part, Plan, batches, fine_tune
from neoai_utils.errors import ParameterError

LABELS = Labels(("play", "wake"), ("O", "B-time", "I-time"))
WAKE = Utterance(("wakeme", "at", "six"), "wake", ("O", "B-time", "I-time"))
PLAY = Utterance(("play",), "play", ("O",))
PLAN = Plan(steps=80, batch=4, rate=1e-2)
BOTH = [Part([WAKE, PLAY])]


@pytest.mark.parametrize("alignment", ["position", "first piece"])
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
        fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(plan, clip=clip), seed=0).encoder.state_dict()
        for clip in (1e-12, None)
    )
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.state_dict().items())
    assert all(torch.allclose(weight, before[name], rtol=2e-4, atol=2e-4) for name, weight in still.items())
    assert any(not torch.allclose(weight, before[name], rtol=2e-4, atol=5e-3) for name, weight in moved.items())


def test_no_utterance_has_no_answer(encoder, tokenizer):
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=1), seed=0)
    answers = predict(model, Collator(tokenizer, LABELS), [])
    assert answers.intents.shape == (0, len(LABELS.intents))
    assert answers.slots == ()


def test_answers_do_not_depend_on_labels_or_on_company(encoder, tokenizer):
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=3), seed=0)
    together = predict(model, Collator(tokenizer, LABELS), [WAKE, PLAY])
    alone = predict(model, Collator(tokenizer, LABELS), [Utterance(WAKE.words), Utterance(PLAY.words)], batch=1)
    assert np.allclose(together.intents, alone.intents, atol=1e-5)
    for first, second in zip(together.slots, alone.slots, strict=True):
        assert np.allclose(first, second, atol=1e-5)


def test_words_that_were_cut_off_are_outside(encoder, tokenizer):
    long = Utterance(("play",) * 70)
    model = fine_tune(encoder, Collator(tokenizer, LABELS), BOTH, replace(PLAN, steps=1), seed=0)
    model.encoder.embeddings.position_embeddings = torch.nn.Embedding(64, 16)  # room for the 64 pieces that are kept
    model.encoder.embeddings.register_buffer("position_ids", torch.arange(64)[None], persistent=False)
    model.encoder.embeddings.register_buffer("token_type_ids", torch.zeros(1, 64, dtype=torch.long), persistent=False)
    words = predict(model, Collator(tokenizer, LABELS), [long]).slots[0]
    assert words.shape == (70, 3)
    assert (words[62:] == [1, 0, 0]).all()
    assert (words[:62, 0] < 1).all()


def test_shares_and_orders_of_the_parts():
    many = [Utterance((str(number),)) for number in range(50)]
    few = [Utterance(("x",)), Utterance(("y",))]
    drawn = [u.words[0] for b in batches([Part(many, 3.0), Part(few)], 20, 50, np.random.default_rng(0)) for u in b]
    counts = Counter(drawn)
    assert len(drawn) == 1000
    assert counts["x"] + counts["y"] == pytest.approx(250, abs=45)
    assert abs(counts["x"] - counts["y"]) <= 1
    assert max(counts[u.words[0]] for u in many) - min(counts[u.words[0]] for u in many) <= 1


def test_parts_may_change_what_they_give():
    part = Part([PLAY], change=lambda utterance, random: replace(utterance, words=(str(random.integers(1000)),)))
    drawn = {u.words for b in batches([part], 5, 4, np.random.default_rng(0)) for u in b}
    assert len(drawn) > 15


@pytest.mark.parametrize("parts", [[], [Part([])], [Part([PLAY], share=0.0)]])
def test_nothing_to_train_on(parts):
    with pytest.raises(ParameterError, match="nothing to train on"):
        next(batches(parts, 2, 1, np.random.default_rng(0)))


def answers(intents, *slots):
    return Answers(np.array(intents, np.float32), tuple(np.array(words, np.float32) for words in slots))


def test_consensus_is_the_mean():
    found = consensus([answers([[1, 0]], [[1, 0, 0]]), answers([[0.5, 0.5]], [[0, 1, 0]])])
    assert found.intents.tolist() == [[0.75, 0.25]]
    assert found.slots[0].tolist() == [[0.5, 0.5, 0.0]]


def test_only_what_is_sure_is_believed():
    bare = [Utterance(("play",)), Utterance(("at", "six"))]
    given = answers([[0.9, 0.1], [0.45, 0.55]], [[0.7, 0.2, 0.1]], [[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    assert confident(bare, given, LABELS) == [
        Utterance(("play",), "play", ("O",)),
        Utterance(("at", "six"), "wake", (UNSURE, "B-time")),
    ]
    assert [u.words for u in confident(bare, given, LABELS, intent=0.6)] == [("play",)]
    assert confident(bare, given, LABELS, word=0.0)[1].slots == ("O", "B-time")
    with pytest.raises(ParameterError, match="between 0 and 1"):
        confident(bare, given, LABELS, word=1.5)


def test_unsure_words_are_out_of_the_loss(encoder, tokenizer):
    batch = Collator(tokenizer, LABELS)([Utterance(("at", "six"), "wake", (UNSURE, "B-time"))])
    assert batch.slots.tolist() == [[IGNORED, IGNORED, 1, IGNORED]]
