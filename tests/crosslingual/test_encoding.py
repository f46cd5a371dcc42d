"""Tags on tokens and back."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.crosslingual.encoding import IGNORED, Collator
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError
from tests.crosslingual.conftest import LABELS, PLAY, WAKE


def test_the_two_ways_to_lay_tags(tokenizer):
    """Tokens: [CLS] wake ##me at six [SEP]."""
    right = Collator(tokenizer, LABELS)([WAKE, PLAY])
    assert right.slots.tolist() == [[-100, 0, -100, 1, 2, -100], [-100, 0, -100, -100, -100, -100]]
    assert right.indices == ((1, 3, 4), (1,))
    published = Collator(tokenizer, LABELS, "position")([WAKE, PLAY])
    assert published.slots.tolist() == [[0, 1, 2, -100, -100, -100], [0, -100, -100, -100, -100, -100]]
    assert published.indices == ((0, 1, 2), (0,))
    assert torch.equal(right.tokens, published.tokens)
    assert (right.intents.tolist(), right.mask.sum(1).tolist()) == ([1, 0], [6, 3])


def test_words_that_do_not_fit_have_no_place(tokenizer):
    assert Collator(tokenizer, LABELS, max_length=5)([WAKE]).indices == ((1, 3, None),)


def test_hidden_and_unknown_labels_are_ignored(tokenizer):
    batch = Collator(tokenizer, LABELS)([Utterance(("play",)), Utterance(("play",), "sing", ("B-song",))])
    assert batch.intents.tolist() == [IGNORED, IGNORED]
    assert (batch.slots == IGNORED).all()


def test_what_cannot_be_encoded(tokenizer):
    with pytest.raises(ParameterError, match="at least one utterance"):
        Collator(tokenizer, LABELS)([])
    with pytest.raises(ParameterError, match="must be one of position, first token"):
        Collator(tokenizer, LABELS, "last piece")  # type: ignore[arg-type]
