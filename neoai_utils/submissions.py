"""Submissions: tables brought into the competition's form, written, read back and compared."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from neoai_utils.errors import SubmissionError
from neoai_utils.tables import LOST_CHARACTERS, Kind, decimal_of, read_csv

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["check_rows", "check_same", "read_submission", "write_submission"]

_KIND_NAMES = {"integer": "a whole number", "number": "a number", "text": "a text"}
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)


def check_rows(
    frame: pd.DataFrame, columns: Mapping[str, Kind], ids: Iterable[object], id_column: str = "id"
) -> pd.DataFrame:
    """Check that a submission has exactly the given columns, no missing value, and one row for each id.

    Args:
        frame: the submission.
        columns: name -> kind, in their order.
        ids: ids of the test files, integers or text.
        id_column: name of the column that holds the ids.

    Returns:
        The submission in the form in which it is written. Integer columns become int64, also from floats (a merge makes
        them) and from digits. Rows keep their order and are numbered from 0.

    Raises:
        SubmissionError: a column or an id is missing, unexpected, repeated or of another type, or a value is missing;
            the message names the first.
    """
    if list(frame.columns) != list(columns):
        raise SubmissionError(
            f"a submission has the columns {', '.join(columns)}; this one has {', '.join(map(str, frame.columns))}. "
            "Name and order them so."
        )
    for name in columns:
        if frame[name].isna().any():
            row = int(frame[name].isna().to_numpy().argmax())
            raise SubmissionError(f"the submission has no {name} in row {row + 1}. Fill it in.")
    expected = set(ids)
    frame = frame.reset_index(drop=True)
    row_names = [f"row {row}" for row in range(1, len(frame) + 1)]
    frame[id_column] = _converted(frame[id_column], _kind_of(expected), row_names)
    _check_ids(frame[id_column], expected)
    row_names = [f"{id_column} {name}" for name in frame[id_column]]
    for name, kind in columns.items():
        if name != id_column:
            frame[name] = _converted(frame[name], kind, row_names)
    return frame


def _check_ids(column: pd.Series, expected: set[object]) -> None:
    """Check that a column holds each of the expected ids once.

    Raises:
        SubmissionError: an id is repeated, missing or unexpected; the message names the first.
    """
    if column.duplicated().any():
        raise SubmissionError(
            f"the submission has the {column.name} {column[column.duplicated()].iloc[0]} twice. Keep one."
        )
    submitted = set(column)
    for problem, names in (("misses", expected - submitted), ("has the unknown", submitted - expected)):
        if names:
            first = sorted(names, key=str)[0]
            raise SubmissionError(
                f"the submission {problem} {column.name} {first} ({len(names)} such rows). "
                f"Give each {column.name} of the test files one row."
            )


def _kind_of(ids: Collection[object]) -> Kind:
    return "text" if any(isinstance(name, str) for name in ids) else "integer"


def _converted(column: pd.Series, kind: Kind, row_names: Sequence[str]) -> pd.Series:
    """Return a submission's column in its kind's type.

    Args:
        column: its values.
        kind: the kind that the column must have.
        row_names: one name for each row, for messages.

    Raises:
        SubmissionError: a value has another type; the message names the first.
    """
    import pandas as pd

    types = pd.api.types
    if kind == "number" and types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        return column
    if kind == "integer" and types.is_signed_integer_dtype(column):
        return column.astype("int64")
    convert = {"integer": _integer, "number": _number, "text": _text}[kind]
    values = [convert(value) for value in column]
    if None in values:
        row = values.index(None)
        raise SubmissionError(f"{row_names[row]}: the {column.name} {_wrong_type(column.iloc[row], kind)}")
    return pd.Series(values, index=column.index, name=column.name, dtype=object if kind == "text" else None)


def _wrong_type(value: object, kind: Kind) -> str:
    """Return the message for a value of another type, from its predicate on."""
    if kind == "integer" and isinstance(value, float | np.floating) and value == np.floor(value):
        return (
            f"is {value} ({type(value).__name__}), too large for a floating-point number to be exact. "
            "Keep whole numbers as int64 from the beginning."
        )
    text = repr(value) if isinstance(value, str) else str(value)
    return (
        f"must be {_KIND_NAMES[kind]}, not {text[:40]} (of type {type(value).__name__}). Write it as the test files do."
    )


def _integer(value: object) -> int | None:
    """Return an integer as int; None for other values, and for floats too large to be exact integers."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        exact = 2 ** (np.finfo(type(value)).nmant + 1)
        return int(value) if abs(value) < exact and value == np.floor(value) else None
    return int(value) if isinstance(value, str) and _INTEGER.fullmatch(value) else None


def _number(value: object) -> float | None:
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    number = decimal_of(value) if isinstance(value, str) else None
    return None if number is None else float(number)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return str(value)
    return str(_integer(value)) if _integer(value) is not None else None


def write_submission(frame: pd.DataFrame, path: Path) -> None:
    r"""Write a checked submission as CSV. All text is quoted if one text contains a `\r` without `\n`.

    Python's writer quotes a lone `\r` since 3.11.9 and 3.12.3 only, and readers take an unquoted one for a line end.

    Raises:
        SubmissionError: a text contains a character that a CSV file does not keep; nothing is written.
    """
    carriage_return = False
    for name, row, text in _texts(frame):
        if lost := LOST_CHARACTERS.search(text):
            raise SubmissionError(
                f"the submission's {name} in row {row + 1} holds the character {lost[0]!r}, which a CSV file does not "
                f"keep. Take it out: text.replace({lost[0]!r}, '')."
            )
        carriage_return = carriage_return or "\r" in text
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if carriage_return else csv.QUOTE_MINIMAL
    frame.to_csv(path, index=False, lineterminator="\n", quoting=quoting)


def _texts(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield (column, row from 0, text) for each text."""
    for name in frame.columns:
        if frame[name].dtype.kind not in "biuf":
            yield from ((name, row, text) for row, text in enumerate(frame[name]) if isinstance(text, str))


def read_submission(path: Path, columns: Mapping[str, Kind], id_column: str | None = None) -> pd.DataFrame:
    """Read a submission's file as `read_csv` does, but only UTF-8 with commas: graders accept nothing else.

    Raises:
        DataError: as in `read_csv`, and for another encoding or separator.
    """
    return read_csv(path, columns, id_column=id_column, exact=True)


def check_same(frame: pd.DataFrame, read_back: pd.DataFrame) -> None:
    """Check that a submission's file contains what was written.

    Args:
        frame: the checked submission.
        read_back: the table that was read from its file.

    Raises:
        SubmissionError: they differ; the message names the first row that does.
    """
    if list(read_back.columns) != list(frame.columns) or len(read_back) != len(frame):
        raise SubmissionError(
            f"the submission was written with {len(frame)} rows of {len(frame.columns)} columns and read back with "
            f"{len(read_back)} of {len(read_back.columns)}. Look for line breaks, quotes and separators in its texts."
        )
    for name in frame.columns:
        column = read_back[name].astype(frame[name].dtype) if frame[name].dtype.kind == "f" else read_back[name]
        for row, (written, read) in enumerate(zip(frame[name], column, strict=True), start=1):
            if written != read:
                raise SubmissionError(
                    f"the submission's file does not keep the {name} of row {row}: {repr(written)[:60]} was written, "
                    f"{repr(read)[:60]} read back. Write plain numbers and text."
                )
