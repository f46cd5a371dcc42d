"""Pairs of human and machine answers: every form of HC3 is read, and the file is found."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from neoai_utils.errors import DataError, DataWarning
from neoai_utils.steering import pairs


def write_pairs(path, rows, columns=("question", "human_answers", "chatgpt_answers", "source")):
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)
    return path


def test_pairs_in_every_form_of_hc3(tmp_path):
    rows = [
        ("Q1", str(["it's h", "other"]), str(['m "quoted"']), "reddit"),
        ("Q2", json.dumps(["h\nline"]), json.dumps(["m"]), "finance"),
        ("Q3", "plain human", "plain machine", "wiki"),
        ("Q4", "[]", str(["m"]), "no human"),
        ("Q5", str(["h"]), None, "no machine"),
        (None, str(["h"]), str(["m"]), "no question"),
    ]
    assert pairs.read_pairs(write_pairs(tmp_path / "hc3.csv", rows)) == [
        pairs.Pair("Q1", "it's h", 'm "quoted"'), pairs.Pair("Q2", "h\nline", "m"),
        pairs.Pair("Q3", "plain human", "plain machine"),
    ]  # fmt: skip


def test_answers_are_joined_with_one_space():
    assert pairs.Pair("Why?", "Because.", " It is").human_text == "Why? Because."
    assert pairs.Pair("Why?", "Because.", " It is").machine_text == "Why? It is"
    assert pairs.Pair("And so", ", he said", "\n\nThus").human_text == "And so, he said"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("Q", "['a", "['b']", "s"), "no row has a question"),
        (("Q", "['a' for x in y]", "['b']", "s"), "no row has a question"),
        (("Q", "[]", "[]", "s"), "no row has a question"),
    ],
)
@pytest.mark.filterwarnings("ignore::neoai_utils.errors.DataWarning")
def test_bad_pairs_are_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        pairs.read_pairs(write_pairs(tmp_path / "hc3.csv", [row]))


def test_rows_with_damaged_lists_are_left_out_and_counted(tmp_path):
    rows = [("Q", "['a", "['b']", "s"), ("Q", "['a']", "['b']", "s"), ("Q", "['a']", "['b' 1]", "s")]
    with pytest.warns(DataWarning, match=r"data row 1: a list of answers is damaged; such rows \(2\)") as warned:
        assert pairs.read_pairs(write_pairs(tmp_path / "hc3.csv", rows)) == [pairs.Pair("Q", "a", "b")]
    assert len(warned) == 1


@pytest.mark.parametrize("form", ["lines", "list"])
def test_pairs_in_the_form_in_which_hc3_was_published(tmp_path, form):
    rows = [
        {"question": "Q1", "human_answers": ["None", "b"], "chatgpt_answers": ["m"], "index": None},
        {"question": "Q2", "human_answers": [], "chatgpt_answers": ["m"]},
        {"question": "Q3", "human_answers": ["h"], "chatgpt_answers": None},
    ]
    text = "\n".join(map(json.dumps, rows)) if form == "lines" else json.dumps(rows)
    (tmp_path / "hc3.csv").write_text(text, encoding="utf-8")
    assert pairs.read_pairs(tmp_path / "hc3.csv") == [pairs.Pair("Q1", "None", "m")]


def test_lists_as_numpy_prints_them_and_answers_that_begin_with_a_bracket(tmp_path):
    rows = [("Q1", '["a\\ud83d"]', "[deleted]", "s"), ("Q2", "['it\\'s'\n \"b\"]", "null", "s")]
    assert pairs.read_pairs(write_pairs(tmp_path / "hc3.csv", rows)) == [
        pairs.Pair("Q1", "a\ufffd", "[deleted]"), pairs.Pair("Q2", "it's", "null"),
    ]  # fmt: skip


def test_pairs_without_a_column_are_named(tmp_path):
    with pytest.raises(DataError, match="no column 'chatgpt_answers'"):
        pairs.read_pairs(write_pairs(tmp_path / "hc3.csv", [("q", "h")], ("question", "human_answers")))
    with pytest.raises(DataError, match="does not exist"):
        pairs.read_pairs(tmp_path / "absent.csv")


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "input"))
    return tmp_path / "input"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("question,human_answers,chatgpt_answers\n")
    return path


@pytest.mark.parametrize("below", ["hc3/hc3.csv", "datasets/somebody/hc3-pairs/data/HC3.csv", "hc3.csv"])
def test_pairs_are_found_below_the_mounts(mounts: Path, below: str) -> None:
    data = mounts / "competition"
    data.mkdir(parents=True)
    path = put(mounts / below)
    assert pairs.find_pairs("", data) == path
    assert pairs.find_pairs("", path.parent) == path
    beside = put(data / "hc3.csv")
    assert pairs.find_pairs("", data) == beside, "the data folder comes first"


def test_named_pairs_win(mounts: Path, tmp_path: Path) -> None:
    put(mounts / "hc3.csv")
    mine = put(tmp_path / "mine/hc3.csv")
    assert pairs.find_pairs(str(mine), mounts) == pairs.find_pairs(str(mine.parent), mounts) == mine
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist.*parameter pairs_file"):
        pairs.find_pairs(tmp_path / "nowhere.csv", mounts)


def test_missing_pairs_are_reported_with_the_remedy(mounts: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hc3\.csv does not exist, and no other .*HC3.*attach .*parameter pairs_file"):
        pairs.find_pairs("", tmp_path)
