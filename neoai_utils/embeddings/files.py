"""The competition's files: labelled and unlabelled texts, the broken model, the submission, the metric.

Layout: `val_dataset.csv` (text, labels; it may have an id), `test.csv` (id, text), and the model, which the competition
keeps on the hub: a folder `model` beside the tables takes its place where there is one. A submission has the columns
`labels` (words) and `id`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils import errors, state_dicts
from neoai_utils.errors import DataError, NeoaiError, SubmissionError
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HUB_MODEL", "LABELS", "MODEL", "REQUIRED", "BrokenBert", "check_submission", "grade", "load_model",
    "metrics", "parse_submission", "read", "submission", "table_of",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("val_dataset.csv", "test.csv")
MODEL = "model"
HUB_MODEL = "Ilseyar-kfu/broken_bert"
LABELS = ("neutral", "positive", "negative")  # in the order of the model's LABEL_0, LABEL_1, LABEL_2
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
    val_labels: NDArray[np.int64]
    test_ids: tuple[int, ...]
    test_texts: tuple[str, ...]
    model_dir: Path | None


def read(data_dir: Path) -> BrokenBert:
    """Read and check the tables; the model is only looked for (see `load_model`).

    Raises:
        DataError: a file or column is missing (what is there is named), a table is empty, an id of the test is missing,
            repeated or no whole number, a label is missing or unknown, or the model folder has no `config.json`.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    val = read_csv(data_dir / REQUIRED[0], {"text": "text", "labels": "text"}, allow_missing=("text",))
    test = _test(data_dir)
    model_dir = data_dir / MODEL
    if model_dir.exists():
        require_paths(model_dir, ("config.json",))
    return BrokenBert(
        val_texts=tuple(val["text"].fillna("")),
        val_labels=_classes(_words(val["labels"], data_dir / REQUIRED[0])),
        test_ids=tuple(int(i) for i in test["id"]),
        test_texts=tuple(test["text"].fillna("")),
        model_dir=model_dir if model_dir.exists() else None,
    )


def _test(data_dir: Path) -> pd.DataFrame:
    columns = {"id": "integer", "text": "text"}
    return read_csv(data_dir / REQUIRED[1], columns, id_column="id", allow_missing=("text",))  # type: ignore[arg-type]


def _words(labels: Iterable[str], path: Path) -> list[str]:
    """Return labels as the submission spells them, also where they are numbers or in other letters.

    Raises:
        DataError: a label is none of the three.
    """
    spelled = [label.strip().lower().removeprefix("label_").removesuffix(".0") for label in labels]
    numbers = {str(number): label for number, label in enumerate(LABELS)}
    if "-1" in spelled:
        numbers = {"-1": "negative", "0": "neutral", "1": "positive"}
    known = dict(zip(LABELS, LABELS, strict=True)) | numbers
    if unknown := sorted(set(spelled) - set(known)):
        raise DataError(f"{path}: unknown label {unknown[0]!r}; known are {', '.join(LABELS)}.")
    if used := sorted(set(spelled) & set(numbers)):
        meant = ", ".join(f"{number} as {numbers[number]}" for number in used)
        errors.warn(f"{path}: labels are numbers, not words; {meant}.")
    return [known[label] for label in spelled]


def _classes(labels: Iterable[str]) -> NDArray[np.int64]:
    return np.array([LABELS.index(label) for label in labels], dtype=np.int64)


def load_model(source: Path | str) -> tuple[Any, Any]:
    """Load (model, tokenizer) from a folder or, by name, from the hub; in float32, the model in evaluation mode.

    Raises:
        NeoaiError: the hub or the named model is out of reach.
        DataError: the folder holds no such model or not all of its weights, the embedding table has fewer rows than
            the vocabulary has tokens (more may be padding), or the model does not tell three classes apart.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        model, report = AutoModelForSequenceClassification.from_pretrained(source, output_loading_info=True)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = f"{source} does not load as a classifier with its tokenizer: {str(error).splitlines()[0]}"
        if isinstance(source, Path):
            raise DataError(reason) from error
        raise NeoaiError(f"{reason} Switch the network on, or put the model into the folder `{MODEL}`.") from error
    state_dicts.require_whole(report, source)
    rows, words = model.get_input_embeddings().weight.shape[0], len(tokenizer)
    if rows < words:
        raise DataError(f"{source}: the vocabulary has {words} tokens but the embedding table {rows} rows.")
    classes = model.config.num_labels
    if classes != len(LABELS):
        raise DataError(f"{source}: the model tells {classes} classes apart, the task has {len(LABELS)}.")
    return model.float().eval(), tokenizer


def table_of(model: Any, tokenizer: Any) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Return a copy of the model's embedding table (tokens, size) float32, and its tokens in the order of the rows.

    Rows beyond the vocabulary, with which some tables are filled up to a round number, are left out. A row without a
    token has the name `[unused…]`.
    """
    table = model.get_input_embeddings().weight.detach().float().cpu().numpy()
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    return table[: len(tokens)].copy(), tuple(token or f"[unused{row}]" for row, token in enumerate(tokens))


def submission(test_ids: Iterable[int], classes: Iterable[int]) -> pd.DataFrame:
    """Return the submission of classes (0, 1, 2) in the order of `test_ids`."""
    import pandas as pd

    rows = [(LABELS[int(c)], int(i)) for i, c in zip(test_ids, classes, strict=True)]
    return pd.DataFrame(rows, columns=list(_SUBMISSION))


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check columns, ids and label words.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first fault.
    """
    frame = check_rows(frame, _SUBMISSION, _test(Path(data_dir))["id"])
    unknown = sorted(set(frame["labels"]) - set(LABELS))
    if unknown:
        raise SubmissionError(f"the submission has the unknown label {unknown[0]!r}; known are {', '.join(LABELS)}.")
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return accuracy and macro-F1 of a checked submission against `answers_dir/answers.csv` (id, labels).

    The competition does not name its metric; the notebooks that survive print both.
    """
    truth = read_csv(Path(answers_dir) / "answers.csv", {"id": "integer", "labels": "text"}, id_column="id")
    check_rows(frame, _SUBMISSION, truth["id"])
    given = frame.set_index("id")["labels"].loc[truth["id"]]
    return metrics(_classes(given), _classes(truth["labels"]))


def metrics(classes: NDArray[np.int64], truth: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy and macro-F1 of classes (texts,)."""
    from sklearn.metrics import accuracy_score, f1_score

    return {
        "accuracy": float(accuracy_score(truth, classes)),
        "macro_f1": float(f1_score(truth, classes, average="macro")),
    }


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or has a missing or repeated id.
    """
    return read_submission(Path(path), _SUBMISSION, id_column="id")
