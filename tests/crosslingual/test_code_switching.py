"""Code-switching against known answers."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.crosslingual.code_switching import mixed, switched
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError

ALARM = Utterance(("Set", "an", "alarm", "tomorrow"), "alarm/set_alarm", ("O", "O", "O", "B-datetime"))
WORDS = {"set": ["поставь"], "alarm": ["будильник"], "tomorrow": ["завтра", "назавтра"]}


def test_no_word_or_every_known_word_is_switched():
    rng = np.random.default_rng(0)
    assert switched(ALARM, WORDS, 0.0, rng) == ALARM
    found = {switched(ALARM, WORDS, 1.0, rng) for _ in range(30)}
    assert {u.words for u in found} == {
        ("поставь", "an", "будильник", "завтра"), ("поставь", "an", "будильник", "назавтра"),
    }  # fmt: skip
    assert {(u.intent, u.slots) for u in found} == {(ALARM.intent, ALARM.slots)}


def test_about_the_asked_share_is_switched():
    long = Utterance(("set",) * 4000)
    found = switched(long, WORDS, 0.3, np.random.default_rng(0)).words.count("поставь")
    assert found / 4000 == pytest.approx(0.3, abs=0.03)


def test_every_mixture_is_met():
    change, rng = mixed(WORDS, (0.0, 1.0)), np.random.default_rng(0)
    assert {change(ALARM, rng).words for _ in range(40)} == {
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
