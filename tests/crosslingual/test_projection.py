"""Projected tags and alignments against known answers."""

from __future__ import annotations

import pytest

from neoai_utils.crosslingual.projection import align, coverage, project
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


def test_a_word_that_occurs_twice_is_translated_by_both_of_its_translations():
    scores = {("take", "убери"): 0.9, ("62", "62"): 0.8, ("timer", "таймера"): 0.7}
    source = ("take", "62", "from", "62", "timer")
    assert align(source, ("убери", "62", "62", "таймера"), scores) == (0, 1, 3, 4)
    assert align(source, ("таймера", "62", "62", "убери"), scores) == (4, 1, 3, 0)
    assert align(source, ("убери", "от", "таймера", "62"), scores) == (0, None, 4, 3)


def test_equal_scores_go_to_free_words_but_better_ones_to_used_words():
    scores = {("a", "x"): 0.5, ("b", "x"): 0.5, ("a", "y"): 0.6, ("b", "y"): 0.5}
    assert align(("a", "b"), ("x", "x"), scores) == (0, 1)
    assert align(("a", "b"), ("x", "y"), scores) == (0, 0)


def test_coverage_counts_slot_words_with_a_translation():
    tags = ("O", "O", "B-datetime", "I-datetime", "B-artist")
    assert coverage(tags, (4, None, 2, 2, 0)) == pytest.approx(2 / 3)
    assert coverage(tags, (0, 1)) == 0
    assert coverage(tags, (2, 3, 4)) == 1
    assert coverage(("O", "O"), (None,)) == 1
