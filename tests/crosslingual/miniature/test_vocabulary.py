"""The pruned encoder, on a tiny model of the real class."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from neoai_utils.crosslingual.miniature.vocabulary import pruned
from neoai_utils.errors import ParameterError


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
