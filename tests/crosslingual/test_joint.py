"""Tags on pieces and back, and the model with two heads, on a tiny BERT."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.crosslingual import joint
from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.crosslingual.encoding import IGNORED, Collator
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.crosslingual.prediction import predict
from neoai_utils.errors import NotANumberError, ParameterError

LABELS = Labels(("play", "wake"), ("O", "B-time", "I-time"))
WAKE = Utterance(("wakeme", "at", "six"), "wake", ("O", "B-time", "I-time"))
PLAY = Utterance(("play",), "play", ("O",))


@pytest.fixture
def model(encoder) -> JointModel:
    return JointModel(encoder, len(LABELS.intents), len(LABELS.tags))


def test_the_two_ways_to_lay_tags(tokenizer):
    """Pieces: [CLS] wake ##me at six [SEP]."""
    right = Collator(tokenizer, LABELS)([WAKE, PLAY])
    assert right.slots.tolist() == [[-100, 0, -100, 1, 2, -100], [-100, 0, -100, -100, -100, -100]]
    assert right.places == ((1, 3, 4), (1,))
    published = Collator(tokenizer, LABELS, "position")([WAKE, PLAY])
    assert published.slots.tolist() == [[0, 1, 2, -100, -100, -100], [0, -100, -100, -100, -100, -100]]
    assert published.places == ((0, 1, 2), (0,))
    assert torch.equal(right.pieces, published.pieces)
    assert (right.intents.tolist(), right.mask.sum(1).tolist()) == ([1, 0], [6, 3])


def test_words_that_do_not_fit_have_no_place(tokenizer):
    assert Collator(tokenizer, LABELS, longest=5)([WAKE]).places == ((1, 3, None),)


def test_hidden_and_unknown_labels_are_ignored(tokenizer):
    batch = Collator(tokenizer, LABELS)([Utterance(("play",)), Utterance(("play",), "sing", ("B-song",))])
    assert batch.intents.tolist() == [IGNORED, IGNORED]
    assert (batch.slots == IGNORED).all()


def test_what_cannot_be_encoded(tokenizer):
    with pytest.raises(ParameterError, match="at least one utterance"):
        Collator(tokenizer, LABELS)([])
    with pytest.raises(ParameterError, match="must be one of position, first piece"):
        Collator(tokenizer, LABELS, "last piece")  # type: ignore[arg-type]


def test_the_loss_is_the_sum_of_both(tokenizer, model):
    batch = Collator(tokenizer, LABELS)([WAKE, PLAY])
    model.eval()
    logits = model(batch.pieces, batch.mask)
    intent = -logits.intents.log_softmax(1)[[0, 1], [1, 0]].mean()
    tagged = logits.slots.log_softmax(2)[[0, 0, 0, 1], [1, 3, 4, 1], [0, 1, 2, 0]]
    assert joint.loss(model, batch).item() == pytest.approx((intent - tagged.mean()).item(), abs=1e-5)
    assert float(joint.loss(model, Collator(tokenizer, LABELS)([Utterance(("play",))]))) == 0.0


def test_padding_changes_nothing(tokenizer, model):
    model.eval()
    alone, padded = (Collator(tokenizer, LABELS)(part) for part in ([PLAY], [PLAY, WAKE]))
    first, second = model(alone.pieces, alone.mask), model(padded.pieces, padded.mask)
    assert torch.allclose(first.intents[0], second.intents[0], atol=1e-5)
    assert torch.allclose(first.slots[0], second.slots[0, :3], atol=1e-5)


@pytest.mark.parametrize("head", ["intent_head", "slot_head"])
def test_answers_that_are_no_number_are_refused(tokenizer, model, head):
    with torch.no_grad():
        getattr(model, head).bias[0] = float("nan")
    with pytest.raises(NotANumberError, match=head.partition("_")[0]):
        predict(model.eval(), Collator(tokenizer, LABELS), [WAKE])
