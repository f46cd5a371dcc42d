"""The competition's files: labelled and unlabelled texts, the broken model, and the submission.

Layout: `val_dataset.csv` (text, labels; it may have an id) and `test.csv` (id, text). The competition keeps the model
on the hub; a folder `model` beside the tables replaces it. A submission has the columns `labels` (words) and `id`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils import errors
from neoai_utils.arrays import Integers
from neoai_utils.embeddings import metric, models
from neoai_utils.embeddings.metric import LABELS
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.scores import Grades
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REQUIRED", "BrokenBert", "check_submission", "grade", "parse_submission", "read", "submission"]

REQUIRED: tuple[str, ...] = ("val_dataset.csv", "test.csv")
_SUBMISSION: dict[str, Kind] = {"labels": "text", "id": "integer"}


@dataclass(frozen=True)
class BrokenBert:
    """What the competition gives, the model aside.

    Attributes:
        val_texts: the labelled texts.
        val_labels: their classes, (texts,) int64: 0 neutral, 1 positive, 2 negative.
        test_ids: ids of the texts to classify, in the file's order.
        test_texts: the texts to classify.
        model_dir: the folder of the broken model; None where the competition's hub model is meant.
    """

    val_texts: tuple[str, ...]
    val_labels: Integers
    test_ids: tuple[int, ...]
    test_texts: tuple[str, ...]
    model_dir: Path | None


def read(data_dir: Path) -> BrokenBert:
    """Read and check the tables; the model is only looked for (see `models.load`).

    Raises:
        DataError: a file or column is missing (what is there is named), a table is empty, an id of the test is missing,
            repeated or no whole number, a label is missing or unknown, or the model folder has no `config.json`.
    """
    require_paths(data_dir, REQUIRED)
    val = read_csv(data_dir / REQUIRED[0], {"text": "text", "labels": "text"}, allow_missing=("text",))
    test = _read_test(data_dir)
    model_dir = data_dir / models.FOLDER
    if model_dir.exists():
        require_paths(model_dir, ("config.json",))
    return BrokenBert(
        val_texts=tuple(val["text"].fillna("")),
        val_labels=_classes(_label_words(val["labels"], data_dir / REQUIRED[0])),
        test_ids=tuple(int(i) for i in test["id"]),
        test_texts=tuple(test["text"].fillna("")),
        model_dir=model_dir if model_dir.exists() else None,
    )


def submission(test_ids: Iterable[int], predictions: Iterable[int]) -> pd.DataFrame:
    """Return the submission of predicted classes (0, 1, 2) in the order of `test_ids`."""
    import pandas as pd

    rows = [(LABELS[int(c)], int(i)) for i, c in zip(test_ids, predictions, strict=True)]
    return pd.DataFrame(rows, columns=list(_SUBMISSION))


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check columns, ids and label words.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first fault.
    """
    frame = check_rows(frame, _SUBMISSION, _read_test(data_dir)["id"])
    unknown = sorted(set(frame["labels"]) - set(LABELS))
    if unknown:
        raise SubmissionError(f"the submission has the unknown label {unknown[0]!r}; known are {', '.join(LABELS)}.")
    return frame


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or has a missing or repeated id.
    """
    return read_submission(path, _SUBMISSION, id_column="id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the grades of a checked submission against `answers_dir/answers.csv` (id, labels)."""
    answers = read_csv(answers_dir / "answers.csv", {"id": "integer", "labels": "text"}, id_column="id")
    check_rows(frame, _SUBMISSION, answers["id"])
    labels = frame.set_index("id")["labels"].loc[answers["id"]]
    return metric.grade(_classes(labels), _classes(answers["labels"]))


def _read_test(data_dir: Path) -> pd.DataFrame:
    columns: dict[str, Kind] = {"id": "integer", "text": "text"}
    return read_csv(data_dir / REQUIRED[1], columns, id_column="id", allow_missing=("text",))


def _label_words(labels: Iterable[str], path: Path) -> list[str]:
    """Return labels as the submission spells them, also where they are numbers or in other letters.

    Raises:
        DataError: a label is none of the three.
    """
    spelled = [label.strip().lower().removeprefix("label_").removesuffix(".0") for label in labels]
    numbers = {str(number): label for number, label in enumerate(LABELS)}
    if "-1" in spelled:
        numbers = {"-1": "negative", "0": "neutral", "1": "positive"}
    words = dict(zip(LABELS, LABELS, strict=True)) | numbers
    if unknown := sorted(set(spelled) - set(words)):
        raise DataError(f"{path}: unknown label {unknown[0]!r}; known are {', '.join(LABELS)}.")
    if used := sorted(set(spelled) & set(numbers)):
        meant = ", ".join(f"{number} as {numbers[number]}" for number in used)
        errors.warn(f"{path}: labels are numbers, not words; {meant}.")
    return [words[label] for label in spelled]


def _classes(labels: Iterable[str]) -> Integers:
    return np.array([LABELS.index(label) for label in labels], dtype=np.int64)
