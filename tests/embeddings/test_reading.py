"""Reading: occurrences are hidden as asked, states are those of the right tokens, and they help where they tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.embeddings import cooccurrence, damage, evaluation, models, reading


def test_only_donors_are_hidden_and_about_as_often_as_asked():
    texts = [[1, 2, 3, 2]] * 500
    hidden = reading.hide_occurrences(texts, np.array([2, 3]), 10, share=0.3)
    flat = np.concatenate(hidden)
    assert set(flat.tolist()) == {1, 2, 3, 10, 11}
    assert (flat == 1).sum() == 500
    assert (flat == 10).sum() + (flat == 2).sum() == 1000
    assert (flat == 10).mean() == pytest.approx(0.5 * 0.3, abs=0.03)
    whole = reading.hide_occurrences(texts, np.array([2, 3]), 10, share=0.0)
    assert np.array_equal(np.concatenate(whole), np.concatenate(texts))


def test_states_are_means_at_the_tokens_own_positions(tiny_model):
    model, tokenizer = models.load(tiny_model)
    table, _ = models.embedding_table(model, tokenizer)
    walk, jump = tokenizer.convert_tokens_to_ids(["walk", "jump"])
    texts = [[2, walk, jump, 3], [2, jump, jump, walk, walk, 3]]
    slots = np.full(len(table), -1)
    slots[[walk, jump]] = 1, 0
    states, seen = reading.mean_states(model, texts, table, np.append(slots, 2))  # a third token that never occurs
    assert seen.tolist() == [3, 3, 0]
    with torch.no_grad():
        layers = [model(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[2][0] for ids in texts]
    expected = (layers[0][1] + layers[1][3] + layers[1][4]) / 3
    assert states[1] == pytest.approx(expected.numpy(), abs=1e-5)
    assert not states[2].any()


def test_rows_beyond_the_vocabulary_are_read_from_the_given_table(tiny_model):
    model, tokenizer = models.load(tiny_model)
    table, tokens = models.embedding_table(model, tokenizer)
    longer = np.concatenate([table, table[[tokens.index("walk")]]])
    plain = evaluation.logits(model, [[2, tokens.index("walk"), 3]])
    ((_, output),) = evaluation.outputs(model, [[2, len(table), 3]], "read", table=longer)
    assert output.logits.numpy() == pytest.approx(plain, abs=1e-6)


def test_state_kernel_is_a_kernel_and_ignores_the_unseen():
    rng = np.random.default_rng(0)
    states, seen = rng.normal(size=(20, 5)).astype(np.float32), np.arange(20)
    kernel = reading.state_kernel(states, seen)
    assert np.diag(kernel)[1:] == pytest.approx(np.full(19, 2.0), abs=1e-5)
    assert np.linalg.eigvalsh(kernel).min() > -1e-5
    changed = states.copy()
    changed[0] = 1e6
    assert reading.state_kernel(changed, seen)[1:, 1:] == pytest.approx(kernel[1:, 1:])


def test_only_lost_rows_change_and_the_model_keeps_its_table(tiny_model):
    model, tokenizer = models.load(tiny_model)
    table, tokens = models.embedding_table(model, tokenizer)
    case = damage.find(table, tokens)
    rng = np.random.default_rng(0)
    texts = [[2, *rng.integers(60, len(tokens), 8), 3] for _ in range(200)]
    donors = cooccurrence.frequent(case.donors, tokens, cooccurrence.counts(texts, len(tokens)))
    base, hidden = np.tile(case.mean, (len(case.lost), 1)), np.tile(case.mean, (len(donors), 1))
    rows, left_out = reading.correct_by_reading(
        case, texts, model, base, donors, donor_rows=hidden, corrected=(base, hidden)
    )
    assert rows.shape == base.shape
    assert left_out.shape == hidden.shape
    assert not np.array_equal(rows, base)
    assert np.array_equal(models.embedding_table(model, tokenizer)[0], table)
