"""The competition's files: right ones are read, wrong ones are refused by file and line."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import pandas as pd
import pytest

from neoai_utils.crosslingual import files, metric
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import DataError, DataWarning, SubmissionError
from neoai_utils.scores import Grades

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
    given = files.read(competition)
    assert given.train[0].words == ("set", "an", "alarm", "for", "six")
    assert given.train[0].slots == ("O", "O", "O", "B-datetime", "I-datetime")
    assert given.train[1] == Utterance(("play", "#"), "PlayMusic", ("O", "B-artist"))
    assert given.labels.intents == ("PlayMusic", "alarm/set_alarm")
    assert given.labels.tags == ("O", "B-artist", "I-artist", "B-datetime", "I-datetime")
    assert given.test == (Utterance(("поставь", "будильник")), Utterance(("включи", "битлз")))
    assert (given.pairs, given.texts) == ((("привет", "hello"),), ("погода завтра", "музыка"))


def test_labels_of_the_test_file_are_not_kept(competition):
    """Should the test file come with answers, nothing downstream can see them."""
    (competition / "test.conll").write_text(RUSSIAN, encoding="utf-8")
    assert all(utterance.intent is None and utterance.slots is None for utterance in files.read(competition).test)


@pytest.mark.filterwarnings("ignore::neoai_utils.errors.DataWarning")
def test_what_real_files_get_wrong_is_borne(competition):
    """The Russian files of this corpus miscount words, and some utterances carry two intents: the first one counts."""
    text = "1\tстол\tBookRestaurant\tO\n1\tна\tPlayMusic\tO\n"
    (competition / "validation.conll").write_text(text, encoding="utf-8")
    assert files.read(competition).validation == (Utterance(("стол", "на"), "BookRestaurant", ("O", "O")),)


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


# ---------------------------------------------------------------------------------------------- faults in the files


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_missing_file_is_named(competition, name):
    (competition / name).unlink()
    with pytest.raises(DataError, match=f"has no {name}; found there"):
        files.read(competition)


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_damaged_file_is_named(competition, name):
    (competition / name).write_bytes("погода".encode()[:-1])
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
        ("1\tпоставь\n2\t\n", r"test.conll, line 2: expected a word number and a word, found the columns \['2'\]"),
        ("1 a\n2 b\n3 b c\n", r"test.conll, line 3: expected a word number and a word, found the columns \['3', 'b'"),
        ("1\ta\n2\tb\nc\n", r"test.conll, line 3: expected a word number and a word, found the columns \['c'\]"),
        ("s1\tпоставь\ns2\tстоп\n", "its 2 columns hold neither numbers nor tags, so which of them is the word"),
    ],
)
@pytest.mark.filterwarnings("ignore::neoai_utils.errors.DataWarning")
def test_a_test_line_whose_word_is_in_doubt_stops(competition, text, message):
    """Each word of the test is answered, in its row."""
    (competition / "test.conll").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        files.read(competition)


@pytest.mark.parametrize("labels", ["\tCancel\tO", ""])
def test_labels_of_some_words_of_the_test_do_no_harm(competition, labels):
    (competition / "test.conll").write_text(f"1\tset{labels}\n2\tan\n3\tor\n\n1\ta\n", encoding="utf-8")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert [u.words for u in files.read(competition).test] == [("set", "an", "or"), ("a",)]
    assert [str(w.message).split("test.conll")[-1] for w in told] == [
        ", line 1: 4 columns, not 2; the word alone is used."
    ] * bool(labels)


# ------------------------------------------------------------------------------------- what is unusual and no fault


@pytest.mark.parametrize("name", ["ru_en_pairs.jsonl", "unlabeled_texts.txt"])
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_without_pairs_or_texts_the_reading_goes_on(competition, name, how):
    (competition / name).unlink() if how == "missing" else (competition / name).write_text("\n\n")
    with pytest.warns(DataWarning, match=f"{name} (holds no|does not exist).*going on without"):
        given = files.read(competition)
    assert (given.pairs, given.texts)[name.startswith("un")] == ()


def test_labels_that_nobody_can_learn_are_told(competition):
    text = "1\tпогода\tGetWeather\tO\n2\tв\tGetWeather\tO\n3\tТуле\tGetWeather\tB-place\n\n" + RUSSIAN
    (competition / "validation.conll").write_text(text, encoding="utf-8")
    with pytest.warns(DataWarning) as told:
        assert files.read(competition).validation[0].intent == "GetWeather"
    assert [str(w.message).split("validation.conll: ")[-1] for w in told] == [
        f"train.conll does not have the {kind} (1 cases); answers to these count as wrong."
        for kind in ("intent GetWeather", "slot tag B-place")
    ]


def test_utterances_without_intent_count_in_the_slots_alone(competition):
    text = "1\tдом\t_\tB-artist\n\n" + RUSSIAN
    (competition / "validation.conll").write_text(text, encoding="utf-8")
    with pytest.warns(DataWarning, match="line 1: the utterance has no intent; its tags alone are used"):
        truth = files.read(competition).validation
    assert truth[0] == Utterance(("дом",), None, ("B-artist",))
    predictions = [replace(truth[0], intent="x", slots=("O",)), *truth[1:]]
    grades = metric.grade(predictions, truth)
    assert grades.parts["intent"] == 1.0
    assert grades.parts["slot"] < 1.0
    assert metric.grade([replace(truth[0], intent="x")], truth[:1]).score == 1.0


def test_raw_sentences_are_cut_as_the_files_are(competition):
    (competition / "validation.conll").write_text(RUSSIAN + "3\t.\tPlayMusic\tO\n", encoding="utf-8")
    (competition / "ru_en_pairs.jsonl").write_text('{"ru": "Пока. Привет.", "en": "Bye. Hello."}', encoding="utf-8")
    (competition / "unlabeled_texts.txt").write_text("Стоп.\nи так,\n", encoding="utf-8")
    given = files.read(competition)
    assert given.pairs == (("Пока . Привет .", "Bye Hello"),), "the English file has no marks"
    assert given.texts == ("Стоп .", "и так"), "no file has a comma"


# ------------------------------------------------------------------------------------- the submission and its metric


def test_a_right_submission_scores_one(competition, answers):
    files.check_submission(right(), competition)
    shuffled = right().iloc[::-1]
    assert files.grade(right(), answers) == files.grade(shuffled, answers)
    assert files.grade(right(), answers) == Grades(1.0, {"intent": 1.0, "slot": 1.0, "spans": 1.0})


def test_known_scores(answers):
    """Weighted F1 by hand: one of two intents right; three of four tags right, and no slot found."""
    frame = files.submission(["PlayMusic", "PlayMusic"], [["O", "O"], ["O", "O"]])
    grades = files.grade(frame, answers)
    assert grades.parts["intent"] == pytest.approx(0.5 * 2 / 3)
    assert grades.parts["slot"] == pytest.approx(0.75 * 6 / 7)
    assert grades.score == pytest.approx((grades.parts["intent"] + grades.parts["slot"]) / 2)
    assert grades.parts["spans"] == 0.0


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
