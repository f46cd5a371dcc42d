"""Commands out of templates of two languages: blocks, shared values, sentences that mean the same."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neoai_utils.crosslingual.miniature import commands
from neoai_utils.crosslingual.miniature.household import VALUES
from neoai_utils.errors import DataError

ENGLISH = {
    "expansion_rules": {"set": "(set|make)"},
    "lists": {
        "colour": {"values": [{"in": "red", "out": "#f00"}, {"in": "teal", "out": "#088"}]},
        "level": {"range": {"from": 10, "to": 30, "step": 10}},
    },
    "intents": {
        "Light": {
            "data": [
                {"sentences": ["<set> {area} {colour}"], "metadata": {"slot_combination": "area_colour"}},
                {"sentences": ["<set> the light to {level}"], "metadata": {"slot_combination": "level"}},
            ]
        },
        "Joke": {"data": [{"sentences": ["tell me a joke"]}]},
    },
}
RUSSIAN = {
    "expansion_rules": {"set": "(сделай|поставь)"},
    "lists": {
        "colour": {"values": [{"in": "красный|красным", "out": "#f00"}, {"in": "синий", "out": "#00f"}]},
        "level": {"range": {"from": 0, "to": 20}},
    },
    "intents": {
        "Light": {
            "data": [
                {"sentences": ["<set> в {area} {colour:colour}"], "metadata": {"slot_combination": "area_colour"}},
                {"sentences": ["<set> свет на {level}"], "metadata": {"slot_combination": "level"}},
            ]
        }
    },
}


@pytest.fixture
def folder(tmp_path):
    for name, content in (("en", ENGLISH), ("ru", RUSSIAN)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def test_blocks_are_those_of_both_languages(folder):
    source = commands.read(folder)
    assert [(block.intent, block.lists) for block in source.blocks] == [
        ("Light", ("area", "colour")),
        ("Light", ("level",)),
    ]
    assert source.keys("colour") == ("#f00",)  # neither language knows all of the other's colours
    assert source.keys("level") == ("10", "20")
    assert len(source.keys("area")) == len(VALUES["area"])


def test_both_languages_have_the_same_meaning(folder):
    source = commands.read(folder)
    rng = np.random.default_rng(0)
    kitchen = str([english for english, _ in VALUES["area"]].index("kitchen"))
    keys = {"area": kitchen, "colour": "#f00"}
    english = {source.draw(source.blocks[0], "en", keys, rng) for _ in range(40)}
    russian = {source.draw(source.blocks[0], "ru", keys, rng) for _ in range(40)}
    assert {u.words for u in english} == {("set", "kitchen", "red"), ("make", "kitchen", "red")}
    assert {u.words[1:] for u in russian} == {("в", "кухне", "красный"), ("в", "кухне", "красным")}
    assert {(u.intent, u.slots) for u in english} == {("Light", ("O", "B-area", "B-colour"))}
    assert {(u.intent, u.slots) for u in russian} == {("Light", ("O", "O", "B-area", "B-colour"))}


def test_only_the_allowed_templates_are_used(folder):
    content = json.loads((folder / "en.json").read_text())
    content["intents"]["Light"]["data"][1]["sentences"].append("light {level}")
    (folder / "en.json").write_text(json.dumps(content))
    source, rng = commands.read(folder), np.random.default_rng(0)
    drawn = {source.draw(source.blocks[1], "en", {"level": "10"}, rng, [1]).words for _ in range(20)}
    assert drawn == {("light", "10")}


@pytest.mark.parametrize("text", ["{", "[]", '{"intents": {}}', "7"])
def test_another_file_is_refused(folder, text):
    (folder / "ru.json").write_text(text)
    with pytest.raises(DataError, match=r"ru\.json"):
        commands.read(folder)


def test_a_missing_file_is_named(folder):
    (folder / "en.json").unlink()
    with pytest.raises(DataError, match=r"en\.json cannot be read"):
        commands.read(folder)
