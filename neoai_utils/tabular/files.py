"""The competition's files: two tables with gaps, the submission, the metric.

Layout: `train_tables.csv` (nine sensors, day, hour, minute, target; no id), `test_tables.csv` (the same twelve features
and an id), `sample_submission.csv` (id, target). The metric, called "squared RMSE" in the statement, is the fourth root
of the mean squared error.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tables import Kind, check_rows, read_csv, read_submission, require_paths
from neoai_utils.tabular.clock import CLOCK
from neoai_utils.tabular.metric import fourth_root_mse

__all__ = [
    "ANSWERS", "FEATURES", "REQUIRED", "SAMPLE", "SENSORS", "TEST", "TRAIN", "Tables", "check_submission", "grade",
    "parse_submission", "read", "submission",
]  # fmt: skip

TRAIN, TEST, SAMPLE = "train_tables.csv", "test_tables.csv", "sample_submission.csv"
REQUIRED: tuple[str, ...] = (TRAIN, TEST, SAMPLE)
ANSWERS = "test_targets.csv"
SENSORS = tuple(f"feat_{i}" for i in range(9))
FEATURES = (*SENSORS, *CLOCK)
_CLOCK_RANGE = {"day": (1, 366), "hour": (0, 23), "minute": (0, 59)}
_SUBMISSION: dict[str, Kind] = {"id": "id", "target": "number"}


@dataclass(frozen=True)
class Tables:
    """What the competition gives.

    Attributes:
        train: (rows, 12) features as float64, NaN where missing.
        target: (rows,) float64.
        test: (test rows, 12) features, the same columns.
        test_ids: (test rows,) int64.
    """

    train: pd.DataFrame
    target: NDArray[np.float64]
    test: pd.DataFrame
    test_ids: NDArray[np.int64]


def read(data_dir: Path) -> Tables:
    """Read and check the two tables and the sample submission.

    Raises:
        DataError: a file or column is missing (what is there is named), a table is empty, a value is infinite or no
            number, a clock value does not exist, a target or id is missing, an id appears twice, or the sample
            submission has other ids than the test table.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    train = _features(data_dir / TRAIN, {"target": "number"})
    test = _features(data_dir / TEST, {"id": "integer"}, id_column="id")
    sample = read_csv(data_dir / SAMPLE, _SUBMISSION, id_column="id")
    if set(sample["id"]) != set(test["id"]):
        raise DataError(f"{data_dir / SAMPLE} does not have the ids of {TEST}; are they of one download?")
    return Tables(
        train=train[list(FEATURES)],
        target=train["target"].to_numpy(np.float64),
        test=test[list(FEATURES)],
        test_ids=test["id"].to_numpy(np.int64),
    )


def _features(path: Path, further: dict[str, Kind], id_column: str | None = None) -> pd.DataFrame:
    numbers: dict[str, Kind] = dict.fromkeys(FEATURES, "number")
    table = read_csv(path, numbers | further, id_column=id_column, allow_missing=FEATURES)
    for name in (*FEATURES, *further):
        _refuse(np.isinf(table[name].to_numpy()), path, table[name], "a finite number")
    for name, (low, high) in _CLOCK_RANGE.items():
        value = table[name].to_numpy()
        wrong = (value < low) | (value > high) | (value % 1 > 0)  # False where NaN
        _refuse(wrong, path, table[name], f"a whole number from {low} to {high}")
    return table


def _refuse(wrong: NDArray[np.bool_], path: Path, column: pd.Series, wanted: str) -> None:
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{path}: column {column.name!r}, data row {row + 1} holds {column.iloc[row]}, not {wanted}.")


def submission(test_ids: NDArray[np.int64], prediction: ArrayLike) -> pd.DataFrame:
    """Return the submission: one predicted target for each id, in the order of `test_ids`.

    Raises:
        SubmissionError: there are more or fewer predictions than ids, or they are not one-dimensional.
    """
    values = np.asarray(prediction, dtype=np.float64)
    if values.shape != test_ids.shape:
        raise SubmissionError(f"{len(test_ids)} ids need as many predictions; got an array of shape {values.shape}.")
    return pd.DataFrame({"id": test_ids, "target": values})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, the ids and that every prediction is a finite number.

    Returns:
        The submission in the form that is written, as `tables.check_rows` says.

    Raises:
        SubmissionError: naming the first column, id or value at fault.
    """
    ids = read_csv(Path(data_dir) / TEST, {"id": "id"}, id_column="id")["id"]
    frame = check_rows(frame, _SUBMISSION, ids)
    infinite = np.isinf(frame["target"].to_numpy(np.float64))
    if infinite.any():
        row = int(infinite.argmax())
        raise SubmissionError(f"the submission's target of id {frame['id'].iloc[row]} is infinite. Clip it.")
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the fourth root of the MSE (the metric), and the RMSE and MAE for reading; ids may be in any order."""
    answers = read_csv(Path(answers_dir) / ANSWERS, _SUBMISSION, id_column="id")
    both = answers.merge(frame, on="id", suffixes=("", "_predicted"), validate="one_to_one")
    error = (both["target_predicted"] - both["target"]).to_numpy()
    score = fourth_root_mse(both["target"], both["target_predicted"])
    return {"fourth_root_mse": score, "rmse": score**2, "mae": float(np.abs(error).mean())}


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a `submission.csv` back.

    Raises:
        DataError: the file is missing or no CSV table, or an id or target is missing or no number.
    """
    return read_submission(Path(path), _SUBMISSION)[list(_SUBMISSION)]
