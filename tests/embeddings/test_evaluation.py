"""Predictions whatever the lengths, and the measures' known values."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.embeddings import evaluation, models
from neoai_utils.errors import NotANumberError


@pytest.fixture(scope="module")
def loaded(tiny_model):
    return models.load(tiny_model)


def test_batched_logits_are_those_of_single_texts(loaded):
    model, tokenizer = loaded
    texts = ["walk", "jumping walked painter cook", "", "rest rest rest", "printer"] * 3
    tokens = evaluation.tokenize(tokenizer, texts)
    batched = evaluation.logits(model, tokens, batch_size=4)
    for text, row in zip(texts, batched, strict=True):
        with torch.no_grad():
            assert row == pytest.approx(model(**tokenizer(text, return_tensors="pt")).logits[0].numpy(), abs=1e-5)
    assert np.array_equal(evaluation.predict(model, tokens), batched.argmax(axis=1))


def test_logits_that_are_no_number_are_refused(tiny_model):
    """Their maximum would be the first class."""
    model, tokenizer = models.load(tiny_model)
    with torch.no_grad():
        model.classifier.bias[0] = float("nan")
    with pytest.raises(NotANumberError, match="classifier's logits"):
        evaluation.logits(model, evaluation.tokenize(tokenizer, ["walk"]))


def test_long_texts_are_cut(loaded):
    tokens = evaluation.tokenize(loaded[1], ["walk " * 500], max_length=32)
    assert len(tokens[0]) == 32


def test_divergence_is_zero_for_the_same_probabilities_and_grows():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 3)).astype(np.float32)
    assert evaluation.kl_divergence(logits, logits + 7) == pytest.approx(np.zeros(50), abs=1e-6)
    a, b = (evaluation.kl_divergence(logits, logits + scale * rng.normal(size=(50, 3))) for scale in (0.1, 1.0))
    assert a.shape == (50,)
    assert 0 < a.mean() < b.mean()


def test_only_a_clear_margin_leaves_the_default():
    rng = np.random.default_rng(0)
    texts = rng.exponential(size=300)  # the texts differ far more than the settings do
    noise = rng.normal(size=300)
    trials = {0.0: texts, 0.5: texts - 0.02 * noise - 0.001, 1.0: texts + 0.5}
    assert evaluation.clearly_lowest(trials, default=0.0) == 0.0
    assert evaluation.clearly_lowest(trials | {0.5: texts - 0.02 * noise - 0.01}, default=0.0) == 0.5
    assert evaluation.clearly_lowest(trials | {0.0: texts - 1}, default=0.0) == 0.0


def test_mean_cosine_weighs_and_skips_special_tokens(case, intact):
    truth = intact[case.lost]
    assert evaluation.mean_cosine(truth, truth, case, case.lost) == pytest.approx(1)
    frequency = np.zeros(len(case.tokens), int)
    frequency[case.lost[3]] = 4
    rows = np.tile(case.mean, (len(case.lost), 1))
    rows[3] = truth[3]
    assert evaluation.mean_cosine(rows, truth, case, case.lost, frequency) == pytest.approx(1)
    assert evaluation.mean_cosine(rows, truth, case, case.lost) == pytest.approx(1 / 15)  # 16 lost, one [unused]


def test_rank_correlation_of_a_table_that_agrees(loaded):
    _, tokenizer = loaded
    words = list(tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
    table = np.zeros((len(words), 2), np.float32)
    for word, angle in {"walk": 0.0, "jump": 0.3, "paint": 1.0, "cook": 2.0}.items():
        table[words.index(word)] = np.cos(angle), np.sin(angle)
    pairs = [("walk", "jump", 9.0), ("walk", "paint", 5.0), ("walk", "cook", 1.0)]
    zero = np.zeros(2, np.float32)
    assert evaluation.rank_correlation(table, tokenizer, pairs, zero) == pytest.approx(1)
    turned = [(a, b, -r) for a, b, r in pairs]
    assert evaluation.rank_correlation(table, tokenizer, turned, zero) == pytest.approx(-1)
