"""States of prompts, and which position of one corresponds to which of another."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.diffusion.texts import aligned, paired_states, pooled, states, token_ids
from neoai_utils.errors import ParameterError

END = 1
texts = st.lists(st.integers(2, 9), max_size=8)


def padded(tokens, length=12):
    return [0, *tokens, *[END] * (length - 1 - len(tokens))]


def test_known_answers():
    photo, horse, pig, grass, old, grey = 2, 3, 4, 5, 6, 7
    same_length = aligned(padded([photo, horse, grass]), padded([photo, pig, grass]), END)
    assert same_length == list(range(12))
    longer = aligned(padded([photo, old, grey, horse, grass]), padded([photo, pig, grass]), END)
    assert longer == [0, 1, 2, 2, 2, 3, 4, 5, 6, 7, 8, 9]
    shorter = aligned(padded([photo, pig, grass]), padded([photo, old, grey, horse, grass]), END)
    assert shorter == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 11, 11]


@given(texts, texts)
def test_every_position_has_a_counterpart(old, new):
    source, target = padded(old), padded(new)
    indices = aligned(source, target, END)
    assert len(indices) == len(source)
    assert indices[0] == 0
    assert indices == sorted(indices)
    assert all(target[to] == END for at, to in enumerate(indices) if at > len(old)), "padding corresponds to padding"


@given(texts)
def test_a_text_stands_for_itself(tokens):
    assert aligned(padded(tokens), padded(tokens), END) == list(range(12))


def test_lengths_must_agree():
    with pytest.raises(ParameterError, match="one length"):
        aligned([0, 1], [0, 1, 1], END)


def test_states_are_those_of_the_pipeline(pipe):
    prompts = ["a photo of a horse", "star"]
    assert token_ids(pipe, prompts).shape == (2, pipe.tokenizer.model_max_length)
    theirs, _ = pipe.encode_prompt(prompts, "cpu", 1, do_classifier_free_guidance=False)
    assert torch.equal(states(pipe, prompts), theirs)


def test_the_sum_of_a_text_stands_at_its_end(pipe):
    prompts = ["a photo of a horse", "star"]
    output = pipe.text_encoder(token_ids(pipe, prompts))
    assert torch.allclose(pooled(pipe, prompts), output.pooler_output, atol=1e-6)


def test_the_padding_need_not_be_read(pipe, monkeypatch):
    """One batch of whole texts, and batches of three cut behind the longest, say the same of every text."""
    prompts = ["a photo of a horse", "star", "", "a sketch of a pig at night", "star", "pig", "a cow"]
    ids = token_ids(pipe, prompts)
    ends = [row.index(pipe.tokenizer.eos_token_id) for row in ids.tolist()]
    whole = states(pipe, prompts)[torch.arange(len(ids)), ends]
    lengths = []
    pipe.text_encoder.register_forward_pre_hook(lambda _, inputs: lengths.append(inputs[0].shape[1]))
    monkeypatch.setattr("neoai_utils.diffusion.texts._BATCH", 3)
    assert torch.allclose(pooled(pipe, prompts), whole, atol=1e-5)
    assert len(lengths) == 3
    assert max(lengths) == max(ends) + 1 < ids.shape[1]


def test_states_hold_no_graph(pipe):
    assert pipe.text_encoder.get_input_embeddings().weight.requires_grad
    assert not states(pipe, ["star"]).requires_grad
    assert not pooled(pipe, ["star"]).requires_grad


def test_pairs_of_states(pipe):
    source, goal = paired_states(pipe, ["a horse on grass"], ["a pig on grass"])
    length = pipe.tokenizer.model_max_length
    assert source.shape == goal.shape == (length, pipe.text_encoder.config.hidden_size)
    assert torch.allclose(goal, states(pipe, ["a pig on grass"])[0])
