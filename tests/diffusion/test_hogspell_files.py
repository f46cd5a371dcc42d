"""Prompts, pictures in base64, and the metric with its two readings."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest
from PIL import Image

from neoai_utils.diffusion import files
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


def test_the_judges_texts():
    assert files.texts_for("a wild boar", "neutral") == ("a wild boar", "pig", "horse", "")
    assert files.texts_for("a mare", "horse") == files.texts_for("a sow", "pig") == ("pig", "horse", "noise", "")


def test_the_strict_and_the_official_mean():
    kinds = ["horse", "horse", "pig", "neutral", "neutral"]
    found = files.scores(kinds, np.array([True, False, True, True, False]))
    assert (found["horse"], found["pig"], found["neutral"]) == (0.5, 1.0, 0.5)
    assert found["strict"] == found["official"] == pytest.approx(0.6)
    assert next(iter(found)) == "strict"


def test_an_untouched_model_is_praised_by_the_official_mean_only():
    found = files.scores(["horse", "pig", "neutral"], np.array([False, True, True]))
    assert (found["strict"], found["official"]) == (0.0, 1.0)
    nothing = files.scores(["horse", "pig", "neutral"], np.zeros(3, bool))
    assert (nothing["strict"], nothing["official"]) == (0.0, 0.0)


def test_every_kind_must_occur():
    with pytest.raises(DataError, match="no neutral prompt"):
        files.scores(["horse", "pig"], np.array([True, True]))


def test_the_default_model_is_where_it_lies_today():
    assert files.Prompts(("a",)).model == "stable-diffusion-v1-5/stable-diffusion-v1-5"
