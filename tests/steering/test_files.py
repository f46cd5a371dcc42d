"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.errors import DataError, DataWarning, SubmissionError
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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "has no test.csv; found there: other.txt"),
        ("", "cannot be read as a CSV table"),
        ("prompt\n", "has a header but no rows"),
        ("question\nwhy\n", "no column 'prompt'; found: question"),
        ("prompt,x\na,1\n,2\n", "column 'prompt' has no value in data row 2"),
        ('prompt\na\n"  "\n', "the prompt in data row 2 is empty"),
        (b"prompt\n\xc3\xa9t\xc3\xa9 \xff\n", "cannot be read as UTF-8 text: line 2, byte 0xff"),
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


def test_prompts_that_look_empty_are_prompts(tmp_path):
    (tmp_path / "test.csv").write_text("id,prompt,more\n0,None,\n1,null,x\n2,N/A,\n3,null,\n", encoding="utf-8")
    assert files.read(tmp_path) == ["None", "null", "N/A", "null"]


def test_characters_that_no_file_keeps_are_replaced(tmp_path):
    with pytest.warns(DataWarning, match="1 generated texts hold characters that no CSV file keeps, first row 2"):
        frame = files.submission(["a", "b"], ["a one", "b\0two\ud800"])
    assert frame["generation"].tolist() == ["a one", "b\ufffdtwo\ufffd"]


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
