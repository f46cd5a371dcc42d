"""The miniature: what is hidden, what the gifts cover, the files' form, the same bytes for the same seed."""

from __future__ import annotations

import json
import re

import pytest

from neoai_utils.crosslingual import conll, files, miniature
from neoai_utils.crosslingual.joint import load_encoder
from neoai_utils.crosslingual.miniature import Recipe, build, draw_splits
from neoai_utils.crosslingual.miniature.commands import Block, Commands
from neoai_utils.errors import DataError

ROOMS = {str(number): (f"room{number}", f"комната{number}") for number in range(20)}
RECIPE = Recipe(
    train=60, validation=10, test=20, pairs=30, texts=40, steps=2, layers=1, english_values=0.5, paired_values=0.5,
    paired_blocks=0.5,
)  # fmt: skip


def block(number):
    """Six templates a language, told apart by their first word."""
    templates = {
        language: tuple(f"{verb}{number}x{way} (light|lamp) [now] {{area}}" for way in range(6))
        for language, verb in (("en", "do"), ("ru", "делай"))
    }
    return Block(f"Intent{number}", templates, ("area",))


SOURCE = Commands(
    tuple(block(number) for number in range(6)),
    {"en": {}, "ru": {}},
    {language: {"area": {k: v[side] for k, v in ROOMS.items()}} for side, language in enumerate(("en", "ru"))},
)


@pytest.fixture
def offline(monkeypatch, large, unigram):
    """Templates and an encoder that need no package."""
    monkeypatch.setattr(miniature, "fetch", lambda name: name)
    monkeypatch.setattr(miniature.commands, "read", lambda folder: SOURCE)
    monkeypatch.setattr(miniature, "load_e5_small", lambda: (large, unigram))


def firsts(utterances):
    return {utterance.words[0] for utterance in utterances}


def rooms(utterances):
    return {re.sub(r"\D", "", utterance.words[-1]) for utterance in utterances}


def test_nothing_hidden_is_shown():
    splits = draw_splits(RECIPE, SOURCE)
    russian = [russian for russian, _ in splits.pairs]
    assert firsts((*splits.validation, *splits.test)).isdisjoint(firsts((*splits.texts, *russian)))
    every = (*splits.train, *splits.validation, *splits.test, *splits.texts)
    assert len({utterance.words for utterance in every}) == len(every)
    assert all(utterance.slots[-1] == "B-area" for utterance in every)


def test_the_gifts_cover_a_part():
    splits = draw_splits(RECIPE, SOURCE)
    russian = [russian for russian, _ in splits.pairs]
    assert len(rooms(splits.train)) == 10
    assert len(rooms(russian)) <= 10
    assert rooms(russian) - rooms(splits.train)
    assert len(rooms((*splits.test, *splits.texts))) > 10
    assert 0 < len({u.intent for u in russian}) < 6
    assert {u.intent for u in splits.train} == {f"Intent{number}" for number in range(6)}


def test_pairs_mean_the_same():
    for russian, english in draw_splits(RECIPE, SOURCE).pairs:
        assert russian.intent == english.intent
        assert rooms([russian]) == rooms([english])
        assert russian.words[0].startswith("делай")
        assert english.words[0].startswith("do")


def test_seeds():
    assert draw_splits(RECIPE, SOURCE) == draw_splits(RECIPE, SOURCE)
    assert draw_splits(RECIPE, SOURCE) != draw_splits(Recipe(**{**vars(RECIPE), "seed": 1}), SOURCE)


def test_templates_that_are_exhausted():
    with pytest.raises(DataError, match="do not hold 5000 different sentences"):
        draw_splits(Recipe(**{**vars(RECIPE), "train": 5000}), SOURCE)


def test_the_files_have_the_competitions_form(offline, tmp_path):
    data, answers = tmp_path / "data", tmp_path / "answers"
    data.mkdir()
    answers.mkdir()
    facts = build(RECIPE, data, answers)
    assert 0 <= facts["ceiling"] <= 1
    given = files.read(data)
    assert [len(part) for part in (given.train, given.validation, given.test, given.pairs, given.texts)] == [
        60, 10, 20, 30, 40,
    ]  # fmt: skip
    assert all(utterance.slots is None for utterance in conll.read(data / "test.conll", labelled=False))
    truth = conll.read(answers / "test.conll", labelled=True)
    assert [u.words for u in truth] == [u.words for u in given.test]
    assert set(json.loads((data / "ru_en_pairs.jsonl").read_text(encoding="utf-8").splitlines()[0])) == {"ru", "en"}
    encoder, tokenizer = load_encoder(data / "encoder")
    assert encoder.config.num_hidden_layers == 1
    assert len(tokenizer) == facts["tokens"]


def test_the_same_seed_builds_the_same_bytes(offline, tmp_path):
    for name in ("one", "two"):
        for part in ("data", "answers"):
            (tmp_path / name / part).mkdir(parents=True)
    facts = [build(RECIPE, tmp_path / name / "data", tmp_path / name / "answers") for name in ("one", "two")]
    assert facts[0] == facts[1]
    paths = sorted(path for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(paths) > len(files.REQUIRED)
    for path in paths:
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes(), path.name
