"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from neoai_utils.embeddings import damage, evaluation, files
from neoai_utils.errors import DataError, DataWarning, NeoaiError, SubmissionError


@pytest.fixture
def answer(competition):
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
    assert files.LABELS[given.val_labels[0]] == first


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


@pytest.mark.parametrize("rows", [1, 64])
def test_a_table_filled_up_to_a_round_number_is_cut(competition, rows):
    from transformers import AutoModelForSequenceClassification

    folder = competition / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    words = model.config.vocab_size
    model.resize_token_embeddings(words + rows)
    with torch.no_grad():
        model.get_input_embeddings().weight[words:] = 0
    model.save_pretrained(folder)
    padded, tokenizer = files.load_model(folder)
    table, names = files.table_of(padded, tokenizer)
    assert len(table) == len(names) == words
    found = damage.find(table, names)
    assert found.lost.max() < words, "the rows that fill up are not lost ones"
    evaluation.install(padded, damage.repaired(found, np.ones((len(found.lost), table.shape[1]), np.float32)))
    weight = padded.get_input_embeddings().weight
    assert weight.shape[0] == words + rows
    assert bool((weight[found.lost] == 1).all())
    assert not weight[words:].any()


def test_a_table_with_too_few_rows_is_refused(competition):
    from transformers import AutoModelForSequenceClassification

    folder = competition / "model"
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.resize_token_embeddings(model.config.vocab_size - 1)
    model.save_pretrained(folder)
    with pytest.raises(DataError, match="tokens but the embedding table"):
        files.load_model(folder)


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


def test_model_loads_with_its_table(competition):
    model, tokenizer = files.load_model(competition / "model")
    table, words = files.table_of(model, tokenizer)
    assert len(words) == len(table) == 134
    assert words[:3] == ("[PAD]", "[UNK]", "[CLS]")
    assert (~table.any(axis=1)).sum() == 20
    table[:] = 1  # a copy: the model keeps its own
    assert not (model.get_input_embeddings().weight == 1).all()


def test_vocabulary_that_does_not_fit_is_refused(competition):
    path = competition / "model" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["model"]["vocab"]["surplus"] = len(tokenizer["model"]["vocab"])
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(DataError, match="135 tokens but the embedding table 134 rows"):
        files.load_model(competition / "model")


def test_model_with_other_classes_is_refused(competition):
    from transformers import BertForSequenceClassification

    folder = competition / "model"
    model = BertForSequenceClassification.from_pretrained(folder, num_labels=2, ignore_mismatched_sizes=True)
    model.save_pretrained(folder)
    with pytest.raises(DataError, match="tells 2 classes apart"):
        files.load_model(competition / "model")


def test_folders_without_a_model_are_refused(competition):
    (competition / "model" / "config.json").unlink()
    with pytest.raises(DataError, match=r"no config\.json"):
        files.read(competition)
    with pytest.raises(DataError, match="does not load as a classifier"):
        files.load_model(competition / "model")


def test_a_hub_model_out_of_reach_names_the_remedy(monkeypatch):
    import transformers

    def refuse(name):
        raise OSError(f"cannot reach {name}")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", refuse)
    with pytest.raises(NeoaiError, match="Switch the network on, or put the model into the folder `model`"):
        files.load_model("somebody/broken")


def test_submission_has_the_official_form(competition, answer, tmp_path):
    files.check_submission(answer, competition)
    assert list(answer.columns) == ["labels", "id"]
    answer.to_csv(tmp_path / "submission.csv", index=False)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "submission.csv"), answer, check_dtype=False)


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
def test_faulty_submissions_are_refused(competition, answer, edit, message):
    with pytest.raises(SubmissionError, match=message):
        files.check_submission(edit(answer), competition)


def test_grades_are_accuracy_then_macro_f1(tmp_path):
    truth = pd.DataFrame({"id": [5002, 5000, 5001], "labels": ["neutral", "positive", "positive"]})
    truth.to_csv(tmp_path / "answers.csv", index=False)
    frame = pd.DataFrame({"labels": ["positive", "neutral", "neutral"], "id": [5000, 5001, 5002]})
    grades = files.grade(frame, tmp_path)
    assert list(grades) == ["accuracy", "macro_f1"]
    assert grades["accuracy"] == pytest.approx(2 / 3)
    assert grades["macro_f1"] == pytest.approx(2 / 3)  # two classes, each with F1 of 2/3
