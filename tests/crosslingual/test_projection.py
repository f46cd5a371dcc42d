"""Projected tags and alignments against known answers."""

from __future__ import annotations

import pytest

from neoai_utils.crosslingual.projection import align, project
from neoai_utils.errors import ParameterError


def test_tags_follow_their_words():
    tags = ("O", "O", "B-datetime", "I-datetime", "B-artist")
    assert project(tags, (4, None, 3, 2, 0)) == ("B-artist", "O", "B-datetime", "I-datetime", "O")
    assert project(tags, (3, 0, 2)) == ("B-datetime", "O", "B-datetime")
    assert project(tags, ()) == ()


def test_an_alignment_beyond_the_sentence_is_refused():
    with pytest.raises(ParameterError, match="names source word 2, but there are 2"):
        project(("O", "O"), (0, 2))


def test_a_translated_sentence_is_aligned_through_its_words():
    scores = {("set", "поставь"): 0.9, ("alarm", "будильник"): 0.8, ("set", "будильник"): 0.1, ("alarm", "на"): 0.001}
    assert align(("set", "alarm"), ("будильник", "на", "поставь"), scores) == (1, None, 0)
    assert align(("set", "alarm"), ("неведомое",), scores) == (None,)
    assert align((), ("поставь",), scores) == (None,)
    assert align(("set", "alarm"), ("на",), scores, threshold=0.0) == (1,)
