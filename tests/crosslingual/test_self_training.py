"""Self-training keeps confident predictions as labels."""

from __future__ import annotations

import pytest

from neoai_utils.crosslingual.encoding import IGNORED, Collator
from neoai_utils.crosslingual.self_training import UNSURE, confident
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError
from tests.crosslingual.conftest import LABELS, predictions


def test_only_what_is_sure_is_believed():
    bare = [Utterance(("play",)), Utterance(("at", "six"))]
    given = predictions([[0.9, 0.1], [0.45, 0.55]], [[0.7, 0.2, 0.1]], [[0.5, 0.4, 0.1], [0.1, 0.8, 0.1]])
    assert confident(bare, given, LABELS) == [
        Utterance(("play",), "play", ("O",)),
        Utterance(("at", "six"), "wake", (UNSURE, "B-time")),
    ]
    assert [u.words for u in confident(bare, given, LABELS, min_intent=0.6)] == [("play",)]
    assert confident(bare, given, LABELS, min_tag=0.0)[1].slots == ("O", "B-time")
    with pytest.raises(ParameterError, match="between 0 and 1"):
        confident(bare, given, LABELS, min_tag=1.5)


def test_unsure_words_are_out_of_the_loss(encoder, tokenizer):
    batch = Collator(tokenizer, LABELS)([Utterance(("at", "six"), "wake", (UNSURE, "B-time"))])
    assert batch.slots.tolist() == [[IGNORED, IGNORED, 1, IGNORED]]
