"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.steering import files

PROMPTS = ["What is rust?", 'He said "no", then left', "Line one\nline two, with commas", "été – naïve"]


@pytest.fixture
def competition(tmp_path):
    pd.DataFrame({"prompt": PROMPTS}).to_csv(tmp_path / "test.csv", index=False)
    return tmp_path


@pytest.fixture
def answer():
    return files.submission(PROMPTS, [prompt + " and so on" for prompt in PROMPTS])


def test_the_real_format_at_its_real_size(tmp_path):
    prompts = [f'Question {i}: is "{i}" even?' for i in range(500)]
    pd.DataFrame({"prompt": prompts}).to_csv(tmp_path / "test.csv", index=False)
    assert files.read(tmp_path) == prompts
    frame = files.submission(prompts, [prompt + "\n\nYes." for prompt in prompts])
    files.check_submission(frame, tmp_path)
    frame.to_csv(tmp_path / "submission.csv", index=False, lineterminator="\n")
    back = files.parse_submission(tmp_path / "submission.csv")
    assert back["prompt"].tolist() == frame["prompt"].tolist()
    assert back["generation"].tolist() == frame["generation"].tolist()
    files.check_submission(back, tmp_path)
    assert (tmp_path / "submission.csv").read_text().startswith("prompt,generation\nQuestion 0: is '0' even?,")


def test_quotes_become_apostrophes_in_the_prompt_alone(answer):
    assert answer["prompt"][1] == "He said 'no', then left"
    assert answer["generation"][1] == 'He said "no", then left and so on'
    assert list(answer.columns) == ["prompt", "generation"]


@settings(max_examples=50)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1), min_size=1, max_size=5))
def test_any_prompts_survive_the_file(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("any")
    prompts = [f"p{text}" for text in texts]
    pd.DataFrame({"prompt": prompts}).to_csv(folder / "test.csv", index=False)
    assert files.read(folder) == prompts
    files.check_submission(files.submission(prompts, [p + "!" for p in prompts]), folder)


# -------------------------------------------------------------------------------------------------------- bad inputs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no test.csv; found there: other.txt"),
        ("", "cannot be read as a CSV table"),
        ("prompt\n", "has a header but no rows"),
        ("question\nwhy\n", "no column 'prompt'; found: question"),
        ("prompt,x\na,1\n,2\n", "column 'prompt' has no value in data row 2"),
        ('prompt\na\n"  "\n', "the prompt in data row 2 is empty"),
        (b"prompt\n\xff\xfe\n", "cannot be read as a CSV table"),
    ],
)
def test_bad_prompts_are_named(tmp_path, content, message):
    (tmp_path / "other.txt").touch()
    if content is not None:
        (tmp_path / "test.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        files.read(tmp_path)


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        files.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.rename(columns={"generation": "text"}), "columns prompt, generation; this one has prompt, text"),
        (lambda f: f[["generation", "prompt"]], "this one has generation, prompt"),
        (lambda f: f.iloc[:-1], "has 3 rows, test.csv has 4"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "has 5 rows"),
        (lambda f: f.iloc[::-1], "row 1: the prompt must be that of test.csv"),
        (lambda f: f.assign(prompt=PROMPTS), "row 2: the prompt must be"),
        (
            lambda f: f.assign(generation=["x", *f["generation"][1:]]),
            "row 1: the generation must be a text that begins",
        ),
        (lambda f: f.assign(generation=[*f["generation"][:3], None]), "row 4: the generation"),
        (lambda f: f.assign(generation=[*f["generation"][:3], 7.0]), "row 4: the generation"),
    ],
)
def test_bad_submissions_are_named(competition, answer, change, message):
    files.check_submission(answer, competition)
    with pytest.raises(SubmissionError, match=message):
        files.check_submission(change(answer), competition)


# ------------------------------------------------------------------------------------------------------------- pairs


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
    assert files.read_pairs(write_pairs(tmp_path / "hc3.csv", rows)) == [
        files.Pair("Q1", "it's h", 'm "quoted"'), files.Pair("Q2", "h\nline", "m"),
        files.Pair("Q3", "plain human", "plain machine"),
    ]  # fmt: skip


def test_answers_are_joined_with_one_space():
    assert files.Pair("Why?", "Because.", " It is").human_text == "Why? Because."
    assert files.Pair("Why?", "Because.", " It is").machine_text == "Why? It is"
    assert files.Pair("And so", ", he said", "\n\nThus").human_text == "And so, he said"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("Q", "['a", "['b']", "s"), "data row 1: this is no list of answers"),
        (("Q", "['a']", "[1, 2]", "s"), "must be a list of texts"),
        (("Q", "['a' for x in y]", "['b']", "s"), "no list of answers"),
        (("Q", "[]", "[]", "s"), "no row has a question"),
    ],
)
def test_bad_pairs_are_named(tmp_path, row, message):
    with pytest.raises(DataError, match=message):
        files.read_pairs(write_pairs(tmp_path / "hc3.csv", [row]))


def test_pairs_without_a_column_are_named(tmp_path):
    with pytest.raises(DataError, match="no column 'chatgpt_answers'"):
        files.read_pairs(write_pairs(tmp_path / "hc3.csv", [("q", "h")], ("question", "human_answers")))
    with pytest.raises(DataError, match="does not exist"):
        files.read_pairs(tmp_path / "absent.csv")


# ------------------------------------------------------------------------------------------------------------ metric


def test_known_rates():
    window = files.Window(-2, 2)
    scores = np.array([-2.0, -1.99, 0.0, 1.99, 2.0, 0.0])
    cosines = np.array([0.9, 0.9, 0.65, 0.66, 0.9, 0.9])
    assert files.rates(scores, cosines, window) == {
        "score": pytest.approx(3 / 6), "window": pytest.approx(4 / 6), "content": pytest.approx(5 / 6)
    }  # fmt: skip


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-1, 1)), min_size=1), st.floats(-5, 0), st.floats(0.01, 5))
def test_the_score_is_the_plain_count(rows, low, high):
    found = files.rates(np.array([s for s, _ in rows]), np.array([c for _, c in rows]), files.Window(low, high))
    plain = sum(low < s < high and c > 0.65 for s, c in rows) / len(rows)
    assert found["score"] == pytest.approx(plain)
    assert found["score"] <= min(found["window"], found["content"])
    assert found["score"] >= found["window"] + found["content"] - 1 - 1e-9


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing or has no numbers"),
        ("{", "missing or has no numbers"),
        ('{"low": 1}', "missing or has no numbers"),
        ('{"low": "x", "high": 2}', "missing or has no numbers"),
        ("[1, 2]", "missing or has no numbers"),
        ('{"low": 2, "high": 2}', "must be below high"),
        ('{"low": NaN, "high": 2}', "must be below high"),
    ],
)
def test_bad_windows_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "window.json").write_text(content)
    with pytest.raises(DataError, match=message):
        files.read_window(tmp_path / "window.json")


def test_bad_probes_are_named(tmp_path, encoder):
    from neoai_utils.steering.detector import Probe

    path = tmp_path / "probe.safetensors"
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    path.write_bytes(b"rubbish")
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    save_file({"weight": torch.zeros(5)}, path)
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    save_file({"weight": torch.zeros(5), "bias": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="shape"):
        Probe.load(encoder, path)


# --------------------------------------------------------------------------------------------- where pairs are found


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "input"))
    return tmp_path / "input"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("question,human_answers,chatgpt_answers\n")
    return path


@pytest.mark.parametrize("place", ["hc3/hc3.csv", "datasets/somebody/hc3-pairs/data/HC3.csv", "hc3.csv"])
def test_pairs_are_found_below_the_mounts(mounts: Path, place: str) -> None:
    data = mounts / "competition"
    data.mkdir(parents=True)
    path = put(mounts / place)
    assert files.find_pairs("", data) == path
    assert files.find_pairs("", path.parent) == path
    beside = put(data / "hc3.csv")
    assert files.find_pairs("", data) == beside, "the data folder comes first"


def test_named_pairs_win(mounts: Path, tmp_path: Path) -> None:
    put(mounts / "hc3.csv")
    mine = put(tmp_path / "mine/hc3.csv")
    assert files.find_pairs(str(mine), mounts) == files.find_pairs(str(mine.parent), mounts) == mine
    with pytest.raises(DataError, match=r"nowhere\.csv does not exist.*parameter pairs_file"):
        files.find_pairs(tmp_path / "nowhere.csv", mounts)


def test_missing_pairs_are_told_with_the_remedy(mounts: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hc3\.csv does not exist, and no other .*HC3.*attach .*parameter pairs_file"):
        files.find_pairs("", tmp_path)
