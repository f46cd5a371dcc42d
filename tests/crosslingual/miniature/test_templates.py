"""Sentences drawn from templates: every choice occurs, words keep the slot they came from."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.crosslingual.miniature.templates import draw, list_names
from neoai_utils.errors import DataError

RULES = {"turn": "(turn|switch)", "the": "[the]"}
VALUES = {"area": ["kitchen", "living room"], "minutes": ["5"], "colour": ["(red|blue)"]}


def drawn(template, times=200):
    rng = np.random.default_rng(0)
    return {draw(template, RULES, VALUES, rng) for _ in range(times)}


def texts(template):
    return {" ".join(words) for words, _ in drawn(template)}


def test_every_choice_occurs():
    assert texts("<turn> on [all] lights") == {
        "turn on lights", "switch on lights", "turn on all lights", "switch on all lights",
    }  # fmt: skip
    assert texts("(go;now)") == {"go now", "now go"}
    assert texts("light[s|er]") == {"light", "lights", "lighter"}


def test_values_are_tagged_word_by_word():
    assert drawn("lights in <the> {area} off") == {
        (("lights", "in", "kitchen", "off"), ("O", "O", "B-area", "O")),
        (("lights", "in", "the", "kitchen", "off"), ("O", "O", "O", "B-area", "O")),
        (("lights", "in", "living", "room", "off"), ("O", "O", "B-area", "I-area", "O")),
        (("lights", "in", "the", "living", "room", "off"), ("O", "O", "O", "B-area", "I-area", "O")),
    }


def test_the_name_after_the_colon_is_the_slot():
    assert drawn("{colour:shade} please") == {
        (("red", "please"), ("B-shade", "O")),
        (("blue", "please"), ("B-shade", "O")),
    }


def test_neighbouring_values_stay_apart():
    (found,) = {tags for words, tags in drawn("{minutes} {minutes}")}
    assert found == ("B-minutes", "B-minutes")


def test_a_word_with_a_value_in_it_belongs_to_the_slot():
    assert drawn("a {minutes}-minute timer") == {(("a", "5-minute", "timer"), ("O", "B-minutes", "O"))}


def test_the_same_seed_draws_the_same():
    first, second = (
        [draw("<turn> [on|off] {area}", RULES, VALUES, rng) for _ in range(20)]
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert first == second


def test_lists_of_a_template_and_its_rules():
    assert list_names("<x> {minutes}", {"x": "in {area}"}) == {"area", "minutes"}


@pytest.mark.parametrize(
    ("template", "message"),
    [("<nobody>", "the rule 'nobody'"), ("{nothing}", "the list 'nothing'"), ("(a|b", "cannot be parsed")],
)
def test_faults_are_named(template, message):
    with pytest.raises(DataError, match=message):
        drawn(template)
