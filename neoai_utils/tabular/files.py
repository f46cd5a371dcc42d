"""The competition's files: two tables with missing values, and the submission.

Layout: `train_tables.csv` (nine sensors, day, hour, minute, target; no id), `test_tables.csv` (the same twelve features
and an id), `sample_submission.csv` (id, target; may be absent).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from neoai_utils import errors
from neoai_utils.arrays import Float64, Mask
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.scores import Grades
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths
from neoai_utils.tabular import metric
from neoai_utils.tabular.clock import CLOCK

__all__ = [
    "ANSWERS", "FEATURES", "REQUIRED", "SAMPLE", "SENSORS", "TEST", "TRAIN", "Tables", "check_submission", "grade",
    "parse_submission", "read", "submission",
]  # fmt: skip

TRAIN, TEST, SAMPLE = "train_tables.csv", "test_tables.csv", "sample_submission.csv"
REQUIRED: tuple[str, ...] = (TRAIN, TEST)
ANSWERS = "test_targets.csv"
SENSORS = tuple(f"feat_{i}" for i in range(9))
FEATURES = (*SENSORS, *CLOCK)
_UNITS = {"hour": 24, "minute": 60}  # hours of a day, minutes of an hour
_CARRIED = (("minute", "hour"), ("hour", "day"))  # minute 60 is carried to the hour, hour 24 to the day
_DEFAULT = {"day": 1.0, "hour": 0.0, "minute": 0.0}  # for a column that is empty in both tables
_SUBMISSION: dict[str, Kind] = {"id": "id", "target": "number"}


@dataclass(frozen=True)
class Tables:
    """The competition's data.

    Attributes:
        train: (rows, features) float64, NaN where missing: the sensors, then day, hour and minute.
        target: (rows,) float64.
        test: (test rows, features), the same columns.
        test_ids: (test rows,) int64, or str objects where they are not whole numbers.
    """

    train: pd.DataFrame
    target: Float64
    test: pd.DataFrame
    test_ids: NDArray[Any]

    @property
    def sensors(self) -> tuple[str, ...]:
        """The names of the sensors, nine in the competition."""
        return tuple(str(name) for name in self.train if name not in CLOCK)


def read(data_dir: Path) -> Tables:
    """Read and check the two tables and, where it is there, the sample submission.

    Unusual content that can be used gives a warning: another number of sensors, further columns (left out), infinite
    readings (taken as missing), and a clock that counts in another way, see `_clock`.

    Raises:
        DataError: a table or column is missing (the message lists what exists), a table is empty, a value is not a
            number, most values of a clock's column are impossible, a target or id is missing, an id appears twice, or
            the sample submission has other ids than the test table.
    """
    require_paths(data_dir, REQUIRED)
    sensors = _sensors(data_dir)
    train = _features(data_dir / TRAIN, sensors, "target", "number")
    test = _features(data_dir / TEST, sensors, "id", "id")
    if (data_dir / SAMPLE).exists():
        sample = read_csv(data_dir / SAMPLE, _SUBMISSION, id_column="id")
        if set(sample["id"]) != set(test["id"]):
            raise DataError(f"{data_dir / SAMPLE} does not have the ids of {TEST}; are they of one download?")
    for part in CLOCK:
        if train[part].isna().all() and test[part].isna().all():
            errors.warn(f"{data_dir / TRAIN} and {TEST}: the column {part} is empty; taken as {_DEFAULT[part]:g}.")
            train[part] = test[part] = _DEFAULT[part]
    features = [*sensors, *CLOCK]
    return Tables(train[features], train["target"].to_numpy(np.float64), test[features], test["id"].to_numpy())


def submission(test_ids: NDArray[Any], predictions: ArrayLike) -> pd.DataFrame:
    """Return the submission: one predicted target for each id, in the order of `test_ids`.

    Raises:
        SubmissionError: there are more or fewer predictions than ids, or they are not one-dimensional.
    """
    values = np.asarray(predictions, dtype=np.float64)
    if values.shape != test_ids.shape:
        raise SubmissionError(f"{len(test_ids)} ids need as many predictions; got an array of shape {values.shape}.")
    return pd.DataFrame({"id": test_ids, "target": values})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, the ids and that every prediction is a finite number.

    Returns:
        The submission in the form in which it is written; see `submissions.check_rows`.

    Raises:
        SubmissionError: naming the first column, id or value at fault.
    """
    ids = read_csv(data_dir / TEST, {"id": "id"}, id_column="id")["id"]
    frame = check_rows(frame, _SUBMISSION, ids)
    infinite = np.isinf(frame["target"].to_numpy(np.float64))
    if infinite.any():
        row = int(infinite.argmax())
        raise SubmissionError(f"the submission's target of id {frame['id'].iloc[row]} is infinite. Clip it.")
    return frame


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a `submission.csv` back.

    Raises:
        DataError: the file is missing or no CSV table, or an id or target is missing or no number.
    """
    return read_submission(path, _SUBMISSION)[list(_SUBMISSION)]


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Grade a submission, whose ids may be in any order; see `metric.grade`."""
    answers = read_csv(answers_dir / ANSWERS, _SUBMISSION, id_column="id")
    both = answers.merge(frame, on="id", suffixes=("", "_predicted"), validate="one_to_one")
    return metric.grade(both["target_predicted"], both["target"])


def _sensors(data_dir: Path) -> tuple[str, ...]:
    """Return the sensors of both tables, `feat_` and a number; the competition's nine where there are none."""
    clock: dict[str, Kind] = dict.fromkeys(CLOCK, "number")
    tables = [read_csv(data_dir / name, clock, allow_missing=CLOCK) for name in (TRAIN, TEST)]
    names = {str(name) for table in tables for name in table if re.fullmatch(r"feat_\d+", str(name))}
    sensors = tuple(sorted(names, key=lambda name: (len(name), name))) or SENSORS
    if sensors != SENSORS:
        errors.warn(
            f"{data_dir / TRAIN} and {TEST} have the sensors {', '.join(sensors)}, "
            f"not the competition's nine, feat_0 to feat_8; all of them are used."
        )
    return sensors


def _features(path: Path, sensors: tuple[str, ...], further: str, kind: Kind) -> pd.DataFrame:
    """Read the features of one table and its column `further`, the target or the id."""
    features = (*sensors, *CLOCK)
    columns: dict[str, Kind] = {**dict.fromkeys(features, "number"), further: kind}
    table = read_csv(path, columns, id_column="id" if further == "id" else None, allow_missing=features)
    unknown = [str(name) for name in table if name not in columns]
    if unknown:
        errors.warn(f"{path}: the columns {', '.join(unknown)} are no features of the competition; left out.")
    if further == "target":
        infinite = np.isinf(table["target"].to_numpy())
        if infinite.any():
            raise DataError(f"{path}: the target is infinite in {_rows(infinite)}. Give it a finite number.")
    for name in features:
        infinite = np.isinf(table[name].to_numpy())
        if infinite.any():
            errors.warn(f"{path}, {_rows(infinite)}: {name} is infinite; taken as missing.")
            table[name] = table[name].mask(infinite)
    return _clock(table, path)


def _clock(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Return the table with a clock of whole days, hours from 0 to 23 and minutes from 0 to 59.

    Fractions are cut off. Hour 24 is hour 0 of the next day, minute 60 is minute 0 of the next hour. Other values
    outside these ranges are taken as missing. Days may be any whole numbers. Each case gives one warning per column.

    Raises:
        DataError: more than half of a column's values are outside its range.
    """
    for part in CLOCK:
        whole = np.floor(table[part])
        cut = (whole != table[part]).to_numpy() & table[part].notna().to_numpy()
        if cut.any():
            errors.warn(f"{path}, {_rows(cut)}: {part} is no whole number; its fraction is cut off.")
            table[part] = whole
    for part, above in _CARRIED:
        last = (table[part] == _UNITS[part]).to_numpy()
        if last.any():
            errors.warn(f"{path}, {_rows(last)}: {part} {_UNITS[part]} is read as {part} 0 of the next {above}.")
            table.loc[last, above] += 1
            table.loc[last, part] = 0.0
    for part, end in _UNITS.items():
        wrong = ~table[part].between(0, end - 1).to_numpy() & table[part].notna().to_numpy()
        if wrong.sum() > table[part].notna().sum() / 2:
            raise DataError(
                f"{path}: most values of the column {part!r} are not from 0 to {end - 1}; the first is "
                f"{table[part].iloc[int(wrong.argmax())]:g} in {_rows(wrong)}. Write the {part} of a clock there."
            )
        if wrong.any():
            errors.warn(f"{path}, {_rows(wrong)}: {part} is not from 0 to {end - 1}; taken as missing.")
            table[part] = table[part].mask(wrong)
    odd = ((table["day"] < 0) | (table["day"] > 366)).to_numpy()
    if odd.any():
        errors.warn(f"{path}, {_rows(odd)}: day is not from 0 to 366; taken as the number of a day all the same.")
    return table


def _rows(mask: Mask) -> str:
    """Return the first row of a (rows,) mask in words, and how many follow."""
    more = int(mask.sum()) - 1
    return f"data row {int(mask.argmax()) + 1}" + (f" and {more} more" if more else "")
