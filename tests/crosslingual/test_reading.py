"""Masked language modelling and the cut-down encoder, on tiny models of the real classes."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import AutoModel, AutoTokenizer, XLMRobertaConfig, XLMRobertaModel

from neoai_utils.crosslingual.masked_language import read_on
from neoai_utils.crosslingual.miniature.vocabulary import pruned
from neoai_utils.errors import ParameterError

TEXTS = ["play at six", "wakeme at six", ("play at six", "сыграй в шесть")]


def test_reading_lowers_the_loss_and_leaves_the_encoder_as_it_was(encoder, tokenizer):
    before = copy.deepcopy(encoder.state_dict())
    read, losses = read_on(encoder, tokenizer, TEXTS, steps=120, seed=0, batch=3, rate=1e-2)
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])
    table = "embeddings.word_embeddings.weight"
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.state_dict().items())
    assert not torch.equal(read.state_dict()[table], before[table])
    assert not read.training


def test_reading_is_repeatable(encoder, tokenizer):
    twice = [read_on(encoder, tokenizer, TEXTS, steps=4, seed=3)[1] for _ in range(2)]
    assert twice[0] == twice[1]


def test_the_competitions_class_reads_too(tokenizer):
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        pad_token_id=0, max_position_embeddings=40,
    )  # fmt: skip
    _, losses = read_on(XLMRobertaModel(config, add_pooling_layer=False), tokenizer, TEXTS, steps=40, seed=0, rate=1e-2)
    assert sum(losses[-10:]) < sum(losses[:10])


def test_nothing_to_read(encoder, tokenizer):
    with pytest.raises(ParameterError, match="needs a text and 0 < hidden < 1, got 0"):
        read_on(encoder, tokenizer, [], steps=1, seed=0)
    with pytest.raises(ParameterError, match="got 3 and 0.0"):
        read_on(encoder, tokenizer, TEXTS, steps=1, seed=0, hidden=0.0)


def test_a_pruned_encoder_reads_its_texts_as_before(large, unigram):
    texts = ["turn on", "свет light"]
    small, tokenizer = pruned(large, unigram, texts, layers=2)
    assert len(tokenizer) == small.config.vocab_size < len(unigram)
    assert small.config.num_hidden_layers == 2
    for text in [*texts, "light turn"]:
        assert tokenizer.tokenize(text) == unigram.tokenize(text)
        with torch.no_grad():
            wanted = large(**unigram(text, return_tensors="pt"), output_hidden_states=True).hidden_states[2]
            assert torch.equal(small(**tokenizer(text, return_tensors="pt")).last_hidden_state, wanted)
    assert tokenizer.mask_token_id < len(tokenizer)
    assert tokenizer.convert_tokens_to_ids("rn") == tokenizer.unk_token_id


def test_a_pruned_encoder_is_read_back_from_disk(large, unigram, tmp_path):
    small, tokenizer = pruned(large, unigram, ["turn on"], layers=1)
    small.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, words = (
        AutoModel.from_pretrained(tmp_path, add_pooling_layer=False).eval(),
        AutoTokenizer.from_pretrained(tmp_path),
    )
    assert words("turn on")["input_ids"] == tokenizer("turn on")["input_ids"]
    with torch.no_grad():
        first, second = (m(**words("turn on", return_tensors="pt")).last_hidden_state for m in (small, again))
    assert torch.equal(first, second)


@pytest.mark.parametrize("layers", [0, 4])
def test_layers_that_are_not_there(large, unigram, layers):
    with pytest.raises(ParameterError, match="layers must be between 1 and 3"):
        pruned(large, unigram, ["turn on"], layers)
