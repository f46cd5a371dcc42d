"""The inner lexicon: parts without the token itself, states of the right token, and a map that finds its layer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.embeddings import damage, inner_lexicon, models


def test_a_donor_is_cut_as_if_it_were_lost(case):
    ids = np.array([case.tokens.index("walks"), case.tokens.index("a"), *case.lost[:3]])
    cuts = inner_lexicon.parts(case, ids)
    assert all(own not in cut for own, cut in zip(ids, cuts, strict=True))
    assert [case.tokens[i] for i in cuts[0]] == ["walk", "##s"]
    assert cuts[1] == []  # no token is shorter
    lost = set(case.lost.tolist())
    assert not lost & {i for cut in cuts for i in cut}


def test_states_are_those_of_the_last_part_whatever_the_batch(tiny_model):
    model, tokenizer = models.load(tiny_model)
    words = tokenizer.convert_tokens_to_ids(["walk", "##s", "##ed"])
    cuts = [[words[0]], words, words[:2]]
    states = inner_lexicon.last_states(model, tokenizer, cuts)
    assert states.shape == (3, 3, 8)
    for word, cut in enumerate(cuts):
        ids = torch.tensor([[tokenizer.cls_token_id, *cut, tokenizer.sep_token_id]])
        with torch.no_grad():
            alone = model(input_ids=ids, output_hidden_states=True).hidden_states
        for layer, values in enumerate(alone):
            assert states[layer, word] == pytest.approx(values[0, -2].numpy(), abs=1e-5)


def test_the_map_takes_the_layer_that_holds_the_rows():
    rng = np.random.default_rng(0)
    states = rng.normal(size=(3, 230, 6)).astype(np.float32)
    rows = (states[1] @ rng.normal(size=(6, 4)) + 5).astype(np.float32)
    predicted, layer = inner_lexicon.map_states(states[:, :200], rows[:200], states[:, 200:])
    assert layer == 1
    assert predicted == pytest.approx(rows[200:], abs=0.2)


def test_tokens_that_are_not_asked_for_keep_the_mean(tiny_model):
    model, tokenizer = models.load(tiny_model)
    case = damage.find(*models.embedding_table(model, tokenizer))
    rows, layer = inner_lexicon.inner_lexicon(case, model, tokenizer, case.donors, case.lost[-4:])
    mean = np.isclose(rows, case.mean).all(axis=1)
    assert mean[:-4].all()
    assert not mean[-4:].all()
    assert 0 <= layer <= 2
    assert damage.repaired(case, rows).shape == case.table.shape
