"""The competition's files: valid ones are read, faulty ones are refused by name."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from neoai_utils.embeddings import files, metric
from neoai_utils.errors import DataError, DataWarning, SubmissionError


@pytest.fixture
def submitted(competition):
    return files.submission(files.read(competition).test_ids, np.arange(2499) % 3)


def change(path, edit):
    frame = pd.read_csv(path)
    frame = edit(frame)
    frame.to_csv(path, index=False)


def test_real_layout_is_read(competition):
    given = files.read(competition)
    assert (len(given.val_texts), len(given.test_texts)) == (2500, 2499)
    assert given.test_ids[0] == 5000
    assert set(given.val_labels) == {0, 1, 2}
    assert given.model_dir == competition / "model"
    first = pd.read_csv(competition / "val_dataset.csv")["labels"][0]
    assert metric.LABELS[given.val_labels[0]] == first


def test_without_a_model_folder_the_hub_is_meant(competition):
    shutil.rmtree(competition / "model")
    assert files.read(competition).model_dir is None


def test_a_text_may_be_empty_or_a_word_that_looks_empty(competition):
    change(competition / "test.csv", lambda f: f.assign(text=["", "NA", *f["text"][2:]]))
    assert files.read(competition).test_texts[:2] == ("", "NA")


@pytest.mark.parametrize(
    "edit",
    [
        lambda f: f[["text", "labels"]],
        lambda f: f[["labels", "text"]].assign(more=1),
        lambda f: f.assign(id=1),
        lambda f: f.assign(labels=f["labels"].str.upper() + " "),
    ],
)
def test_validation_needs_texts_and_labels_alone(competition, edit):
    before = files.read(competition)
    change(competition / "val_dataset.csv", edit)
    given = files.read(competition)
    assert given.val_texts == before.val_texts
    assert given.val_labels.tolist() == before.val_labels.tolist()


@pytest.mark.parametrize("form", ["{}", "LABEL_{}", "{}.0"])
def test_labels_may_be_numbers(competition, form):
    before = files.read(competition).val_labels
    change(competition / "val_dataset.csv", lambda f: f.assign(labels=[form.format(n) for n in before]))
    with pytest.warns(DataWarning, match="labels are numbers, not words; 0 as neutral, 1 as positive, 2 as negative"):
        assert files.read(competition).val_labels.tolist() == before.tolist()


def test_minus_one_is_negative(tmp_path, competition):
    (competition / "val_dataset.csv").write_text("text,labels\na,-1\nb,0\nc,1\n")
    with pytest.warns(DataWarning, match="-1 as negative, 0 as neutral, 1 as positive"):
        assert files.read(competition).val_labels.tolist() == [2, 0, 1]


def test_texts_may_repeat_and_columns_change_places(competition):
    change(competition / "test.csv", lambda f: f.assign(text="same", more="x")[["more", "text", "id"]])
    assert set(files.read(competition).test_texts) == {"same"}


@pytest.mark.parametrize("name", ["val_dataset.csv", "test.csv"])
def test_missing_files_are_named_with_what_is_there(competition, name):
    (competition / name).rename(competition / "other.csv")
    with pytest.raises(DataError, match=rf"{name}; found there: .*other\.csv"):
        files.read(competition)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere"):
        files.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "edit", "message"),
    [
        ("val_dataset.csv", lambda f: f.rename(columns={"labels": "x"}), "no column 'labels'; found: id, text, x"),
        ("test.csv", lambda f: f.drop(columns="text"), "no column 'text'; found: id"),
        ("test.csv", lambda f: f[:0], "no rows"),
        ("test.csv", lambda f: f.assign(id=f["id"].astype(object).where(f.index != 3, "five")), "five"),
        ("test.csv", lambda f: f.assign(id=f["id"].where(f.index != 3)), "column 'id' has no value in data row 4"),
        ("test.csv", lambda f: f.assign(id=5000), "5000 appears more than once"),
        ("val_dataset.csv", lambda f: f.assign(labels="good"), "unknown label 'good'; known are neutral"),
        ("val_dataset.csv", lambda f: f.assign(labels=f["labels"].where(f.index > 0)), "column 'labels' has no value"),
    ],
)
def test_faulty_tables_are_refused(competition, name, edit, message):
    change(competition / name, edit)
    with pytest.raises(DataError, match=message):
        files.read(competition)


def test_an_empty_file_is_refused(competition):
    (competition / "test.csv").write_text("")
    with pytest.raises(DataError, match=r"test\.csv cannot be read"):
        files.read(competition)


def test_submission_has_the_official_form(competition, submitted, tmp_path):
    files.check_submission(submitted, competition)
    assert list(submitted.columns) == ["labels", "id"]
    submitted.to_csv(tmp_path / "submission.csv", index=False)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "submission.csv"), submitted, check_dtype=False)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda f: f[:-1], "misses id 7498"),
        (lambda f: pd.concat([f, f[:1]]), "id 5000 twice"),
        (lambda f: pd.concat([f, pd.DataFrame({"labels": ["neutral"], "id": [9]})]), "unknown id 9"),
        (lambda f: f[["id", "labels"]], "columns labels, id"),
        (lambda f: f.assign(labels="LABEL_0"), "unknown label 'LABEL_0'"),
        (lambda f: f.assign(labels=f["labels"].where(f["id"] != 5001)), "no labels in row 2"),
    ],
)
def test_faulty_submissions_are_refused(competition, submitted, edit, message):
    with pytest.raises(SubmissionError, match=message):
        files.check_submission(edit(submitted), competition)


def test_a_model_folder_without_a_model_is_refused(competition):
    (competition / "model" / "config.json").unlink()
    with pytest.raises(DataError, match=r"no config\.json"):
        files.read(competition)


def test_grades_do_not_depend_on_the_order_of_rows(tmp_path):
    truth = pd.DataFrame({"id": [5002, 5000, 5001], "labels": ["neutral", "positive", "positive"]})
    truth.to_csv(tmp_path / "answers.csv", index=False)
    frame = pd.DataFrame({"labels": ["positive", "neutral", "neutral"], "id": [5000, 5001, 5002]})
    assert files.grade(frame, tmp_path) == metric.grade(np.array([0, 1, 0]), np.array([0, 1, 1]))
