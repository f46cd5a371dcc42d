"""The competition's files: prompts, pictures in base64, the submission and its grades."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from PIL import Image

from neoai_utils.diffusion import files, judge
from neoai_utils.errors import DataError, SubmissionError

PROMPTS = {"0": "a mare", "1": "a sow", "2": "a wild boar"}


@pytest.fixture
def competition(tmp_path):
    (tmp_path / "prompts.json").write_text(json.dumps(PROMPTS), encoding="utf-8")
    return tmp_path


def picture(level):
    pixels = np.random.default_rng(level).integers(0, 256, (8, 8, 3), np.uint8)
    return Image.fromarray(pixels)


def test_prompts_come_in_the_order_of_their_numbers(tmp_path):
    numbers = [str(number) for number in range(182)]
    (tmp_path / "prompts.json").write_text(json.dumps({n: f"prompt {n}" for n in sorted(numbers)}), encoding="utf-8")
    assert files.read(tmp_path).texts == tuple(f"prompt {n}" for n in numbers)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must hold an object of prompts"),
        ("{}", "must hold an object of prompts"),
        ('{"0": "a", "2": "b"}', 'none with the key "1"'),
        ('{"0": "a", "1": " "}', 'prompt "1" must be a text'),
        ('{"0": 5}', 'prompt "0" must be a text'),
    ],
)
def test_wrong_prompts_are_refused(tmp_path, text, message):
    (tmp_path / "prompts.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        files.read(tmp_path)


def test_no_prompts(tmp_path):
    with pytest.raises(DataError, match=r"prompts\.json"):
        files.read(tmp_path)


def test_a_picture_comes_back_pixel_for_pixel():
    assert np.array_equal(np.asarray(files.decoded(files.encoded(picture(1)))), np.asarray(picture(1)))


@pytest.mark.parametrize(
    "text", ["no base64!", base64.b64encode(b"no picture").decode(), files.encoded(picture(0))[:80]]
)
def test_damaged_pictures_are_refused(text):
    with pytest.raises(DataError, match="no PNG in base64"):
        files.decoded(text)


def test_a_submission_is_written_and_read_back(competition, tmp_path):
    frame = files.submission([picture(number) for number in range(3)])
    files.check_submission(frame, competition)
    frame.to_csv(tmp_path / "submission.csv", index=False)
    again = files.parse_submission(tmp_path / "submission.csv")
    assert again.equals(frame)
    assert list(again) == ["id", "0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.iloc[:2], "id"),
        (lambda f: f.rename(columns={"0": "png"}), "columns id, 0"),
        (lambda f: f.assign(**{"0": [f["0"][0], "broken", f["0"][2]]}), "id 1: no PNG in base64"),
    ],
)
def test_wrong_submissions_are_refused(competition, change, message):
    with pytest.raises(SubmissionError, match=message):
        files.check_submission(change(files.submission([picture(number) for number in range(3)])), competition)


def test_the_default_model_is_the_one_on_the_hub():
    assert files.Prompts(("a",)).model == "stable-diffusion-v1-5/stable-diffusion-v1-5"


def test_pictures_are_graded_in_the_order_of_their_ids(tmp_path, monkeypatch):
    """Picture 0 is seen as what it asks for, picture 1 and 2 as the second text."""
    monkeypatch.setattr(
        judge, "load_judge", lambda folder: lambda pictures, texts: np.array([int(p.size == (4, 4)) for p in pictures])
    )
    (tmp_path / "answers.csv").write_text("id,kind,prompt\n0,horse,a mare\n1,pig,a sow\n2,neutral,a star\n")
    frame = files.submission([picture(0), *[picture(number).resize((4, 4)) for number in (1, 2)]])
    grades = files.grade(frame[::-1], tmp_path)
    assert grades.score == 0
    assert grades.parts == {"official": 1.0, "horse": 1.0, "pig": 0.0, "neutral": 0.0}
