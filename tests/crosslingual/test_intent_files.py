"""The competition's files: right ones are read, wrong ones are refused by file and line."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.crosslingual import conll, files
from neoai_utils.crosslingual.conll import Utterance
from neoai_utils.errors import DataError, SubmissionError

ENGLISH = """# id: 1
# text: set an alarm for six
1\tset\talarm/set_alarm\tNoLabel
2\tan\talarm/set_alarm\tO
3\talarm\talarm/set_alarm\tO
4\tfor\talarm/set_alarm\tB-datetime
5\tsix\talarm/set_alarm\tI-datetime

1\tplay\tPlayMusic\tO
2\t#\tPlayMusic\tB-artist
"""
RUSSIAN = """1\tпоставь\talarm/set_alarm\tO
2\tбудильник\talarm/set_alarm\tO

# text: включи битлз
1\tвключи\tPlayMusic\tO
2\tбитлз\tPlayMusic\tB-artist
"""
HIDDEN = "1\tпоставь\n2\tбудильник\n\n1\tвключи\n2\tбитлз\n"


@pytest.fixture
def competition(tmp_path):
    for name, text in (("train", ENGLISH), ("validation", RUSSIAN), ("test", HIDDEN)):
        (tmp_path / f"{name}.conll").write_text(text, encoding="utf-8")
    (tmp_path / "ru_en_pairs.jsonl").write_text('{"ru": "привет", "en": "hello"}\n', encoding="utf-8")
    (tmp_path / "unlabeled_texts.txt").write_text("погода завтра\n\nмузыка\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def answers(tmp_path):
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "test.conll").write_text(RUSSIAN, encoding="utf-8")
    return tmp_path / "answers"


def right():
    return files.submission(["alarm/set_alarm", "PlayMusic"], [["O", "O"], ["O", "B-artist"]])


def test_everything_is_read(competition):
    given_ = files.read(competition)
    assert given_.train[0].words == ("set", "an", "alarm", "for", "six")
    assert given_.train[0].slots == ("O", "O", "O", "B-datetime", "I-datetime")
    assert given_.train[1] == Utterance(("play", "#"), "PlayMusic", ("O", "B-artist"))
    assert given_.labels.intents == ("PlayMusic", "alarm/set_alarm")
    assert given_.labels.tags == ("O", "B-artist", "I-artist", "B-datetime", "I-datetime")
    assert given_.test == (Utterance(("поставь", "будильник")), Utterance(("включи", "битлз")))
    assert (given_.pairs, given_.texts) == ((("привет", "hello"),), ("погода завтра", "музыка"))


def test_labels_of_the_test_file_are_not_kept(competition):
    """Should the test file come with answers, nothing downstream can see them."""
    (competition / "test.conll").write_text(RUSSIAN, encoding="utf-8")
    assert all(utterance.intent is None and utterance.slots is None for utterance in files.read(competition).test)


def test_what_real_files_get_wrong_is_borne(competition):
    """The Russian files of this corpus miscount words, and some utterances carry two intents: the first one counts."""
    text = "1\tстол\tBookRestaurant\tO\n1\tна\tPlayMusic\tO\n"
    (competition / "validation.conll").write_text(text, encoding="utf-8")
    assert files.read(competition).validation == (Utterance(("стол", "на"), "BookRestaurant", ("O", "O")),)


word = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=5)
tag = st.sampled_from(["O", "B-datetime", "I-datetime", "B-reminder/todo"])


@settings(max_examples=50)
@given(st.lists(st.lists(st.tuples(word, tag), min_size=1, max_size=5), min_size=1, max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, sentences):
    path = tmp_path_factory.mktemp("conll") / "train.conll"
    utterances = tuple(Utterance(*(tuple(part) for part in zip(*s, strict=True))) for s in sentences)
    utterances = tuple(Utterance(u.words, "weather/find", u.intent) for u in utterances)
    conll.write(utterances, path)
    assert conll.read(path, labelled=True) == utterances
    conll.write([Utterance(u.words) for u in utterances], path)
    assert conll.read(path, labelled=False) == tuple(Utterance(u.words) for u in utterances)


# ------------------------------------------------------------------------------------------------ the pairs' fields


@pytest.mark.parametrize(
    "line",
    [
        {"ru": "привет мир", "en": "hello world"},
        {"en_text": "hello world", "ru_text": "привет мир"},
        {"id": 3, "source": "привет мир", "target": "hello world", "score": 0.5},
        {"translation": {"en": "hello world", "ru": "привет мир"}},
        ["привет мир", "hello world"],
    ],
)
def test_pairs_are_known_by_their_script(competition, line):
    (competition / "ru_en_pairs.jsonl").write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    assert files.read(competition).pairs == (("привет мир", "hello world"),)


def test_latin_names_and_identifiers_do_not_mislead(competition):
    line = {"id": "train-7", "ru": "привет home assistant", "en": "where does my data go to"}
    (competition / "ru_en_pairs.jsonl").write_text(json.dumps(line, ensure_ascii=False), encoding="utf-8")
    assert files.read(competition).pairs == ((line["ru"], line["en"]),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{oops", r"line 1: no JSON"),
        ('{"a": "hello", "b": "world"}', r"line 1: expected a Russian and an English text, found the fields a, b"),
        ('{"ru": "привет"}', r"found the fields ru"),
        ("\n\n", "holds no pair"),
        ("7", "found the fields int"),
    ],
)
def test_wrong_pairs_are_refused(competition, text, message):
    (competition / "ru_en_pairs.jsonl").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        files.read(competition)


# ---------------------------------------------------------------------------------------------- faults in the files


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_missing_file_is_named(competition, name):
    (competition / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}; found there"):
        files.read(competition)


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_file_in_another_encoding_is_named(competition, name):
    (competition / name).write_bytes("погода".encode("cp1251"))
    with pytest.raises(DataError, match=rf"{name} cannot be read as UTF-8"):
        files.read(competition)


@pytest.mark.parametrize("name", files.REQUIRED)
def test_an_empty_file_is_named(competition, name):
    (competition / name).write_text("\n")
    with pytest.raises(DataError, match=rf"{name} holds no"):
        files.read(competition)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\tset\talarm\n", "line 1: expected word number, word, intent and slot separated by tabs, found 3 columns"),
        ("1 set alarm O\n", "found 1 columns"),
        ("x\tset\ta\tO\n", "line 1: expected a word's number and the word, found 'x' and 'set'"),
        ("1\t\ta\tO\n", "line 1: expected a word's number and the word, found '1' and ''"),
        ("1\tset\ta\tdatetime\n", "line 1: 'datetime' is no slot tag"),
    ],
)
def test_a_malformed_line_is_named(competition, text, message):
    (competition / "train.conll").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        files.read(competition)


def test_labels_for_some_words_only_are_refused(competition):
    (competition / "test.conll").write_text("# x\n1\tset\ta\tO\n2\tan\n", encoding="utf-8")
    with pytest.raises(DataError, match="line 2: some words of this utterance have labels and some have none"):
        files.read(competition)


# ------------------------------------------------------------------------------------- the submission and its metric


def test_a_right_submission_scores_one(competition, answers):
    files.check_submission(right(), competition)
    shuffled = right().iloc[::-1]
    assert files.grade(right(), answers) == files.grade(shuffled, answers)
    assert files.grade(right(), answers) == {"mean": 1.0, "intent": 1.0, "slot": 1.0, "spans": 1.0}


def test_known_scores(answers):
    """Weighted F1 by hand: one of two intents right; three of four tags right, and no slot found."""
    frame = files.submission(["PlayMusic", "PlayMusic"], [["O", "O"], ["O", "O"]])
    found = files.grade(frame, answers)
    assert found["intent"] == pytest.approx(0.5 * 2 / 3)
    assert found["slot"] == pytest.approx(0.75 * 6 / 7)
    assert found["mean"] == pytest.approx((found["intent"] + found["slot"]) / 2)
    assert found["spans"] == 0.0


def test_the_metric_needs_no_seqeval(answers, monkeypatch):
    """Kaggle's image has none: whole slots are then not counted, and the rest is the same."""
    monkeypatch.setattr(files.importlib.util, "find_spec", lambda name: None)
    assert files.grade(right(), answers) == {"mean": 1.0, "intent": 1.0, "slot": 1.0}


def test_the_file_is_read_back(tmp_path):
    right().to_csv(tmp_path / "submission.csv", index=False)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "submission.csv"), right())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:1], "misses id 2"),
        (lambda f: f.assign(id=[0, 1]), "misses id 2"),
        (lambda f: f.rename(columns={"slots": "tags"}), "columns id, intent, slots"),
        (lambda f: f.assign(slots=["O", "O B-artist"]), r"id 1: 1 slot tags for 2 words: 'поставь будильник'"),
        (lambda f: f.assign(intent=["a", " "]), "id 2: the intent must be a word"),
        (lambda f: f.assign(slots=[None, "O O"]), "no slots in row 1"),
    ],
)
def test_wrong_submissions_are_refused(competition, change, message):
    with pytest.raises(SubmissionError, match=message):
        files.check_submission(change(right()), competition)
