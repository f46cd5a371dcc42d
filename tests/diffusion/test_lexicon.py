"""Sentences found in a text: articles, longer sentences of the other side, words and not parts of words."""

from __future__ import annotations

import pytest

from neoai_utils.diffusion import lexicon
from neoai_utils.diffusion.texts import token_ids


@pytest.fixture
def made(pipe):
    return lexicon.make(pipe, ["a mare", "an animal that gallops", "horse"], ["a sea horse", "zebra"])


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("a photo of a mare at night", True),
        ("animal that gallops in snow", True),
        ("a sea horse", False),
        ("a horse by the sea", True),
        ("a sea horse on a mare", True),
        ("a zebra", False),
        ("a mare on a zebra", True),
        ("two mares in snow", True),
        ("sea horses", False),
        ("a nightmare", None),
        ("animal that neighs", None),
        ("", None),
    ],
)
def test_known_answers(pipe, made, text, side):
    assert made.asks_for_source(token_ids(pipe, [text])[0].tolist()) is side


def test_without_sentences_nothing_is_decided(pipe):
    nothing = lexicon.make(pipe, [], [])
    assert nothing.asks_for_source(token_ids(pipe, ["a mare"])[0].tolist()) is None


def test_plurals():
    assert lexicon._plural(("wild", "pony")) == ("wild", "ponies")
    assert lexicon._plural(("bay",)) == ("bays",)
    assert lexicon._plural(("mare",)) == ("mares",)
    assert lexicon._plural(("y",)) == ("ys",)
