"""Code-switching and projection against known answers and their promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.crosslingual.code_switching import mixed, switched
from neoai_utils.crosslingual.conll import Utterance
from neoai_utils.crosslingual.projection import align, in_order, project
from neoai_utils.errors import ParameterError

ALARM = Utterance(("Set", "an", "alarm", "tomorrow"), "alarm/set_alarm", ("O", "O", "O", "B-datetime"))
WORDS = {"set": ["поставь"], "alarm": ["будильник"], "tomorrow": ["завтра", "назавтра"]}


def test_no_word_or_every_known_word_is_switched():
    random = np.random.default_rng(0)
    assert switched(ALARM, WORDS, 0.0, random) == ALARM
    found = {switched(ALARM, WORDS, 1.0, random) for _ in range(30)}
    assert {u.words for u in found} == {
        ("поставь", "an", "будильник", "завтра"), ("поставь", "an", "будильник", "назавтра"),
    }  # fmt: skip
    assert {(u.intent, u.slots) for u in found} == {(ALARM.intent, ALARM.slots)}


def test_about_the_asked_share_is_switched():
    long = Utterance(("set",) * 4000)
    found = switched(long, WORDS, 0.3, np.random.default_rng(0)).words.count("поставь")
    assert found / 4000 == pytest.approx(0.3, abs=0.03)


def test_every_mixture_is_met():
    change, random = mixed(WORDS, (0.0, 1.0)), np.random.default_rng(0)
    assert {change(ALARM, random).words for _ in range(40)} == {
        ALARM.words, ("поставь", "an", "будильник", "завтра"), ("поставь", "an", "будильник", "назавтра"),
    }  # fmt: skip


def test_a_larger_dictionary_does_not_change_the_other_words():
    small, large = (
        switched(ALARM, words, 0.5, np.random.default_rng(5)).words for words in ({"set": ["поставь"]}, WORDS)
    )
    assert small[0] == large[0]


def test_an_impossible_share_is_refused():
    with pytest.raises(ParameterError, match="between 0 and 1"):
        switched(ALARM, WORDS, 1.5, np.random.default_rng(0))


# ------------------------------------------------------------------------------------------------------- projection


def test_tags_follow_their_words():
    tags = ("O", "O", "B-datetime", "I-datetime", "B-artist")
    assert project(tags, (4, None, 3, 2, 0)) == ("B-artist", "O", "B-datetime", "I-datetime", "O")
    assert project(tags, (3, 0, 2)) == ("B-datetime", "O", "B-datetime")
    assert project(tags, ()) == ()


def test_an_alignment_beyond_the_sentence_is_refused():
    with pytest.raises(ParameterError, match="names source word 2, but there are 2"):
        project(("O", "O"), (0, 2))


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b"]), max_size=8))
def test_ordered_tags_are_sound_and_stay_ordered(tags):
    found = in_order(tags)
    assert in_order(found) == found
    assert [tag[2:] for tag in found] == [tag[2:] for tag in tags]
    for before, tag in zip(("O", *found), found, strict=False):
        assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_a_translated_sentence_is_aligned_through_its_words():
    agreed = {("set", "поставь"): 0.9, ("alarm", "будильник"): 0.8, ("set", "будильник"): 0.1, ("alarm", "на"): 0.001}
    assert align(("set", "alarm"), ("будильник", "на", "поставь"), agreed) == (1, None, 0)
    assert align(("set", "alarm"), ("неведомое",), agreed) == (None,)
    assert align((), ("поставь",), agreed) == (None,)
    assert align(("set", "alarm"), ("на",), agreed, least=0.0) == (1,)
