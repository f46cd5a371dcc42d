"""Sentence pairs with unknown field names."""

from __future__ import annotations

import json
import warnings

import pytest

from neoai_utils.crosslingual.pairs import read_pairs
from neoai_utils.errors import DataWarning

RU, EN = "разбуди в пять", "wake me at five"


def read(folder, *lines):
    path = folder / "pairs.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        return read_pairs(path), [str(warning.message).removeprefix(str(path)) for warning in told]


@pytest.mark.parametrize(
    "line",
    [
        {"ru": RU, "en": EN, "annot_utt": "wake me at [time : five] please"},
        {"id": "0", "intent": "general_quirky_and_long", "russian": RU, "english": EN},
        {"intent": "alarm_set_and_longer", "utt_ru": RU, "utt_en": EN, "annot_utt_en": "[x : wake] me at five"},
        {"ru": {"utt": RU, "annot_utt": RU + " [x]"}, "en": {"annot_utt": EN + " [x]", "utt": EN}},
        {"ru_text": RU, "en_text": EN},
        {"textRu": RU, "textEn": EN},
        {"ru-RU": RU, "en-US": EN},
        {"rus_Cyrl": RU, "eng_Latn": EN},
        {"source": EN, "target": RU, "corpus": "OpenSubtitles, and a long name it is"},
        {"src": RU, "tgt": EN, "note": "a longer text in Latin letters"},
        {"original": EN, "translation": RU},
        {"translation": {"ru": RU, "en": EN}, "source": "OpenSubtitles, and a long name it is"},
        {"ru": RU.split(), "en": EN.split()},
        {"a": RU, "b": EN, "intent": "general_quirky_and_long"},
        {"en": RU, "ru": EN},
        [EN, RU],
        f"{RU}\t{EN}",
    ],
)
def test_fields_of_every_kind(tmp_path, line):
    assert read(tmp_path, line) == (((RU, EN),), [])


def test_one_list_for_all_lines(tmp_path):
    assert read(tmp_path, json.dumps([{"ru": RU, "en": EN}] * 2, indent=1)) == (((RU, EN),) * 2, [])


def test_named_fields_need_no_letters(tmp_path):
    lines = [{"ru": "10:30", "en": "10:30"}, {"ru": "Spotify", "en": "Spotify"}, {"ru": RU, "en": EN}]
    assert read(tmp_path, *lines) == ((("10:30", "10:30"), ("Spotify", "Spotify"), (RU, EN)), [])


@pytest.mark.parametrize(
    "line", ["{oops", {"a": "hello", "b": "world"}, {"ru": RU}, {"ru": RU, "en": ""}, "7", "null", ["10:30", "10:30"]]
)
def test_lines_that_cannot_be_told_apart_are_left_out_and_counted(tmp_path, line):
    found, told = read(tmp_path, {"ru": RU, "en": EN}, line, line)
    assert found == ((RU, EN),)
    assert len(told) == 1
    assert told[0].startswith(", line 2: no Russian and English text can be told apart in ")
    assert told[0].endswith("such lines are left out (2 of 3).")


def test_half_a_character_is_left_out(tmp_path):
    assert read(tmp_path, '{"ru": "да \\ud83d", "en": "yes"}') == ((("да", "yes"),), [])


def test_a_file_without_pairs_is_told(tmp_path):
    assert read(tmp_path, "", " ") == ((), [" holds no pair; going on without sentence pairs."])
    with pytest.warns(DataWarning, match="absent does not exist; going on without sentence pairs"):
        assert read_pairs(tmp_path / "absent") == ()
