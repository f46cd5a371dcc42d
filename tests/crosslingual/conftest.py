"""A tiny encoder of the real class, with a tokenizer made here, that the model's tests share."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from neoai_utils.crosslingual.prediction import Predictions
from neoai_utils.crosslingual.utterances import Labels, Utterance

TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "wake", "##me", "at", "six", "play", "сыграй", "в", "шесть")


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Splits `wakeme` into two tokens."""
    made = Tokenizer(models.WordPiece({token: i for i, token in enumerate(TOKENS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]", cls_token="[CLS]",
        sep_token="[SEP]",
    )  # fmt: skip


@pytest.fixture
def encoder() -> BertModel:
    """A fresh one for each test: training changes it."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(TOKENS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False)


@pytest.fixture(scope="session")
def unigram() -> PreTrainedTokenizerFast:
    """Tokens of XLM-R's kind; `</s>` and `<mask>` are special, as they are there."""
    tokens = [
        "<s>",
        "<pad>",
        "</s>",
        "<unk>",
        "▁",
        "▁turn",
        "▁on",
        "▁li",
        "ght",
        "▁све",
        "т",
        "t",
        "u",
        "r",
        "n",
        "▁tu",
        "rn",
    ]
    made = Tokenizer(models.Unigram([(token, -float(index)) for index, token in enumerate(tokens)], unk_id=3))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        pad_token="<pad>", unk_token="<unk>", mask_token="<mask>",
    )  # fmt: skip


@pytest.fixture
def large(unigram) -> BertModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(unigram), hidden_size=16, num_hidden_layers=3, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, pad_token_id=1,
    )  # fmt: skip
    return BertModel(config, add_pooling_layer=False).eval()


LABELS = Labels(("play", "wake"), ("O", "B-time", "I-time"))
WAKE = Utterance(("wakeme", "at", "six"), "wake", ("O", "B-time", "I-time"))
PLAY = Utterance(("play",), "play", ("O",))


def predictions(intents: list[list[float]], *slots: list[list[float]]) -> Predictions:
    return Predictions(np.array(intents, np.float32), tuple(np.array(words, np.float32) for words in slots))
