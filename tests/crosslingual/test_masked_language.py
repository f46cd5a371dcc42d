"""Continued pretraining, on tiny models of the real classes."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from neoai_utils.crosslingual.masked_language import continue_pretraining
from neoai_utils.errors import ParameterError

TEXTS = ["play at six", "wakeme at six", ("play at six", "сыграй в шесть")]


def test_reading_lowers_the_loss_and_leaves_the_encoder_as_it_was(encoder, tokenizer):
    before = copy.deepcopy(encoder.state_dict())
    read, losses = continue_pretraining(encoder, tokenizer, TEXTS, steps=120, seed=0, batch=3, learning_rate=1e-2)
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])
    table = "embeddings.word_embeddings.weight"
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.state_dict().items())
    assert not torch.equal(read.state_dict()[table], before[table])
    assert not read.training


def test_reading_is_repeatable(encoder, tokenizer):
    twice = [continue_pretraining(encoder, tokenizer, TEXTS, steps=4, seed=3)[1] for _ in range(2)]
    assert twice[0] == twice[1]


def test_the_competitions_class_reads_too(tokenizer):
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        pad_token_id=0, max_position_embeddings=40,
    )  # fmt: skip
    _, losses = continue_pretraining(
        XLMRobertaModel(config, add_pooling_layer=False), tokenizer, TEXTS, steps=40, seed=0, learning_rate=1e-2
    )
    assert sum(losses[-10:]) < sum(losses[:10])


def test_nothing_to_read(encoder, tokenizer):
    with pytest.raises(ParameterError, match="needs a text and 0 < mask_probability < 1, got 0"):
        continue_pretraining(encoder, tokenizer, [], steps=1, seed=0)
    with pytest.raises(ParameterError, match="got 3 and 0.0"):
        continue_pretraining(encoder, tokenizer, TEXTS, steps=1, seed=0, mask_probability=0.0)
