"""Tags on pieces and back, and the model with two heads, on a tiny BERT with a tokenizer made here."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from neoai_utils.crosslingual.conll import Utterance
from neoai_utils.crosslingual.encoding import IGNORED, Labels, encode, tags_of
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.errors import ParameterError

LABELS = Labels(("play", "wake"), ("O", "B-time", "I-time"))
WAKE = Utterance(("wakeme", "at", "six"), "wake", ("O", "B-time", "I-time"))
PLAY = Utterance(("play",), "play", ("O",))


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Cuts `wakeme` into two pieces."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "wake", "##me", "at", "six", "play"]
    made = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture
def model() -> JointModel:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=9, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    return JointModel(BertModel(config, add_pooling_layer=False), len(LABELS.intents), len(LABELS.tags))


def test_the_two_ways_to_lay_tags(tokenizer):
    """Pieces: [CLS] wake ##me at six [SEP]."""
    right = encode(tokenizer, [WAKE, PLAY], LABELS)
    assert right.slots.tolist() == [[-100, 0, -100, 1, 2, -100], [-100, 0, -100, -100, -100, -100]]
    assert right.places == ((1, 3, 4), (1,))
    published = encode(tokenizer, [WAKE, PLAY], LABELS, "position")
    assert published.slots.tolist() == [[0, 1, 2, -100, -100, -100], [0, -100, -100, -100, -100, -100]]
    assert published.places == ((0, 1, 2), (0,))
    assert torch.equal(right.pieces, published.pieces)
    assert (right.intents.tolist(), right.mask.sum(1).tolist()) == ([1, 0], [6, 3])


@pytest.mark.parametrize("alignment", ["position", "first piece"])
def test_right_pieces_give_the_right_tags_back(tokenizer, alignment):
    batch = encode(tokenizer, [WAKE, PLAY], LABELS, alignment)
    assert tags_of(batch.slots.clamp(min=0), batch.places, LABELS) == [list(WAKE.slots), list(PLAY.slots)]


def test_words_that_do_not_fit_are_answered_with_o(tokenizer):
    batch = encode(tokenizer, [WAKE], LABELS, longest=5)
    assert batch.places == ((1, 3, None),)
    assert tags_of(batch.slots.clamp(min=0), batch.places, LABELS) == [["O", "B-time", "O"]]


def test_hidden_and_unknown_labels_are_ignored(tokenizer):
    batch = encode(tokenizer, [Utterance(("play",)), Utterance(("play",), "sing", ("B-song",))], LABELS)
    assert batch.intents.tolist() == [IGNORED, IGNORED]
    assert (batch.slots == IGNORED).all()


def test_what_cannot_be_encoded(tokenizer):
    with pytest.raises(ParameterError, match="at least one utterance"):
        encode(tokenizer, [], LABELS)
    with pytest.raises(ParameterError, match="must be one of position, first piece"):
        encode(tokenizer, [WAKE], LABELS, "last piece")  # type: ignore[arg-type]


def test_the_loss_is_the_sum_of_both(tokenizer, model):
    batch = encode(tokenizer, [WAKE, PLAY], LABELS)
    model.eval()
    logits = model(batch.pieces, batch.mask)
    intent = -logits.intents.log_softmax(1)[[0, 1], [1, 0]].mean()
    tagged = logits.slots.log_softmax(2)[[0, 0, 0, 1], [1, 3, 4, 1], [0, 1, 2, 0]]
    assert model.loss(batch).item() == pytest.approx((intent - tagged.mean()).item(), abs=1e-5)
    assert float(model.loss(encode(tokenizer, [Utterance(("play",))], LABELS))) == 0.0


def test_padding_changes_nothing(tokenizer, model):
    model.eval()
    alone, padded = (encode(tokenizer, part, LABELS) for part in ([PLAY], [PLAY, WAKE]))
    first, second = model(alone.pieces, alone.mask), model(padded.pieces, padded.mask)
    assert torch.allclose(first.intents[0], second.intents[0], atol=1e-5)
    assert torch.allclose(first.slots[0], second.slots[0, :3], atol=1e-5)


def test_it_learns_two_utterances(tokenizer, model):
    batch = encode(tokenizer, [WAKE, PLAY], LABELS)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(batch).backward()
        optimiser.step()
    model.eval()
    logits = model(batch.pieces, batch.mask)
    assert logits.intents.argmax(1).tolist() == [1, 0]
    assert tags_of(logits.slots.argmax(2), batch.places, LABELS) == [list(WAKE.slots), list(PLAY.slots)]
