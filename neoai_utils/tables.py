"""CSV tables read with their promises checked: columns, types, gaps and ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.signatures import stranger

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Kind", "check_rows", "read_csv", "require_paths"]

Kind = Literal["integer", "number", "text"]
_WORDS = {"integer": "whole numbers", "number": "numbers", "text": "text"}


def require_paths(folder: Path, names: Iterable[str]) -> None:
    """Raise `DataError` naming the first of `names` that is not below `folder`, and what is there."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist. Give the folder that holds the competition's files.")
    for name in names:
        if not (folder / name).exists():
            parent = (folder / name).parent
            there = sorted(p.name for p in (parent if parent.is_dir() else folder).iterdir())
            found = ", ".join(there[:12]) + (" …" if len(there) > 12 else "") or "nothing"
            raise DataError(
                f"{folder} has no {name}; found there: {found}. Give the folder that holds the competition's files."
            )


def read_csv(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    id_column: str | None = None,
    allow_missing: Collection[str] = (),
) -> pd.DataFrame:
    """Read a CSV file and check it.

    Args:
        path: the file.
        columns: name -> kind of every column that must be there; further columns are kept as they are.
        id_column: this column must have no gap and no duplicate.
        allow_missing: columns that may have gaps; the others may not.

    Returns:
        The table; "integer" columns as int64 (float64 where gaps are allowed), "number" as float64,
        "text" as str objects.

    Raises:
        DataError: the file is missing, empty or no CSV; a column is missing (what was found is named), has
            the wrong type or a forbidden gap; an id is missing or appears twice.
    """
    import pandas as pd

    text = [name for name, kind in columns.items() if kind == "text"]
    if path.suffix.lower() == ".csv" and (told := stranger(path)):
        raise DataError(f"{path} cannot be read as a CSV table: {told}.")
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        raise DataError(
            f"{path} cannot be read as a CSV table: {error}. Write it as UTF-8 text with commas, or copy it again."
        ) from error
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise DataError(f"{path} has no column {missing[0]!r}; found: {found}. The columns are {', '.join(columns)}.")
    if frame.empty:
        raise DataError(f"{path} has a header but no rows. Copy or write it again.")
    for name, kind in columns.items():
        frame[name] = _checked_column(frame[name], kind, path, gaps=name in allow_missing)
    if id_column is not None and frame[id_column].duplicated().any():
        twice = frame.loc[frame[id_column].duplicated(), id_column].iloc[0]
        raise DataError(f"{path}: the {id_column} {twice} appears more than once. Keep one of its rows.")
    return frame


def _checked_column(column: pd.Series, kind: Kind, path: Path, *, gaps: bool) -> pd.Series:
    import pandas as pd

    where = f"{path}: column {column.name!r}"
    empty = column.isna()
    if empty.any() and not gaps:
        raise DataError(f"{where} has no value in data row {int(empty.to_numpy().argmax()) + 1}. Fill it in.")
    if kind == "text":
        return column
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = numbers.isna() & ~empty
    if kind == "integer":
        wrong |= (numbers % 1 != 0) & ~empty
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        held = column.iloc[row]
        shown = repr(held) if isinstance(held, str) else str(held)
        raise DataError(f"{where} must hold {_WORDS[kind]}; data row {row + 1} holds {shown}.")
    return numbers.astype("int64") if kind == "integer" and not empty.any() else numbers


def check_rows(frame: pd.DataFrame, columns: Collection[str], ids: Iterable[object], id_column: str = "id") -> None:
    """Check that a submission has exactly `columns`, no gap, and each of `ids` exactly once.

    Raises:
        SubmissionError: naming the first column or id that is missing, extra, empty or repeated.
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
    given, wanted = frame[id_column], set(ids)
    if given.duplicated().any():
        raise SubmissionError(
            f"the submission has the {id_column} {given[given.duplicated()].iloc[0]} twice. Keep one."
        )
    known = set(given)
    for problem, names in (("misses", wanted - known), ("has the unknown", known - wanted)):
        if names:
            first = sorted(names, key=str)[0]
            raise SubmissionError(
                f"the submission {problem} {id_column} {first} ({len(names)} such rows). "
                f"Give each {id_column} of the test files one row."
            )
