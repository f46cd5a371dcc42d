"""CSV tables read and checked: columns, types, missing values and ids.

In a text column only an empty cell is missing: `None`, `NA` and `null` are words. In a number column they are missing
values.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neoai_utils import errors
from neoai_utils.arrays import Mask
from neoai_utils.errors import DataError
from neoai_utils.reading import read_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LOST_CHARACTERS", "Kind", "decimal_of", "read_csv", "require_paths"]

Kind = Literal["integer", "number", "text", "id"]
"""Type of a column's values; an `id` column holds integers if all of its values are integers, else text."""

LOST_CHARACTERS = re.compile("[\0\ud800-\udfff]")
"""Characters that a CSV file does not keep: readers end a text at NUL, and a lone surrogate has no UTF-8."""

_KIND_NAMES = {"integer": "whole numbers", "number": "numbers"}
_MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_LIMIT = 2**63
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


def require_paths(folder: Path, names: Iterable[str]) -> None:
    """Check that files and folders exist.

    Args:
        folder: the folder that must hold them.
        names: their paths below it.

    Raises:
        DataError: one does not exist; the message names the first such path and lists the folder's content.
    """
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist. Give the folder that holds the competition's files.")
    for name in names:
        if not (folder / name).exists():
            parent = (folder / name).parent
            entries = sorted(path.name for path in (parent if parent.is_dir() else folder).iterdir())
            listing = ", ".join(entries[:12]) + (" …" if len(entries) > 12 else "") or "nothing"
            raise DataError(
                f"{folder} has no {name}; found there: {listing}. Give the folder that holds the competition's files."
            )


def read_csv(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    id_column: str | None = None,
    allow_missing: Collection[str] = (),
    exact: bool = False,
) -> pd.DataFrame:
    """Read and check a CSV file.

    Separators other than commas and encodings other than UTF-8 are read with a warning.

    Args:
        path: the file.
        columns: name -> kind of each required column. Further columns are returned as pandas reads them.
        id_column: column without missing values and duplicates.
        allow_missing: columns that may have missing values; the others may not.
        exact: refuse other separators and encodings instead.

    Returns:
        The table. "integer" columns are int64 (float64 if values are missing), "number" columns float64, "text" columns
        hold str objects. "id" columns are int64 if all values are integers without leading zeros, else str objects.

    Raises:
        DataError: the file is missing, empty or no CSV table; a column is missing, has values of another type or
            forbidden missing values; an id occurs twice.
    """
    text = read_text(path, exact=exact)
    separator = _separator(path, text, columns, exact)
    frame = _parsed(path, text, separator, columns)
    if frame.empty:
        raise DataError(f"{path} has a header but no rows. Copy or write it again.")
    for name, kind in columns.items():
        frame[name] = _checked_column(
            frame[name], kind, path, may_be_missing=name in allow_missing, decimal_comma=separator == ";"
        )
    if id_column is not None and frame[id_column].duplicated().any():
        duplicate = frame.loc[frame[id_column].duplicated(), id_column].iloc[0]
        raise DataError(f"{path}: the {id_column} {duplicate} appears more than once. Keep one of its rows.")
    return frame


def _no_table(path: Path, reason: object) -> DataError:
    return DataError(
        f"{path} cannot be read as a CSV table: {reason}. Write it as UTF-8 text with commas, or copy it again."
    )


def _separator(path: Path, text: str, columns: Collection[str], exact: bool) -> str:
    """Return the separator with which the header contains all required columns.

    Raises:
        DataError: the file is empty, or there is no such separator.
    """
    header = _header(text, ",")
    if not header:
        raise _no_table(path, "it is empty")
    if missing := [name for name in columns if name not in header]:
        for separator, name in _SEPARATORS.items():
            if not set(columns) - set(_header(text, separator)) and not exact:
                errors.warn(f"{path} is separated by {name}, not by commas; read so.")
                return separator
        raise DataError(
            f"{path} has no column {missing[0]!r}; found: {', '.join(header)}. The columns are {', '.join(columns)}."
        )
    return ","


def _header(text: str, separator: str) -> list[str]:
    """Return the fields of the first row that is not empty."""
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return next((row for row in rows if row), [])
    except csv.Error:
        return []


def _parsed(path: Path, text: str, separator: str, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """Parse a table with pandas: text and integers as str, numbers as float64 rounded correctly."""
    import pandas as pd

    # pandas 3 always rounds correctly, and warns if it is asked to
    rounding: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) > 2 else {"float_precision": "round_trip"}
    missing = {name: list(_MISSING) for name in _header(text, separator)}
    missing |= {name: [""] for name, kind in columns.items() if kind in ("text", "id")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # rows longer than the header are checked below
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # concerns columns that are not required
        try:
            frame: pd.DataFrame = pd.read_csv(
                io.StringIO(text), sep=separator, index_col=False, na_values=missing, keep_default_na=False,
                dtype={name: str for name, kind in columns.items() if kind != "number"}, **rounding,
            )  # fmt: skip
        except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError, OverflowError) as error:
            raise _no_table(path, str(error).strip().rstrip(".")) from error
    _refuse_longer_rows(path, text, separator)
    return frame


def _refuse_longer_rows(path: Path, text: str, separator: str) -> None:
    """Raise `DataError` if rows have more fields than the header: pandas would drop the additional fields.

    pandas itself refuses rows that are longer than the first row. A separator at the end of every row is allowed.
    """
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)
    try:
        header, first = next(rows), next(rows, [])
        if len(first) > len(header) and any(field for row in (first, *rows) for field in row[len(header) :]):
            raise _no_table(path, "its first row has more fields than its header; quote text with commas")
    except csv.Error:  # a field above the reader's size limit: an encoded picture, which contains no comma
        return


def _checked_column(
    column: pd.Series, kind: Kind, path: Path, *, may_be_missing: bool, decimal_comma: bool
) -> pd.Series:
    """Return a column in its kind's type.

    Raises:
        DataError: a value has another type, or a value is missing that may not be.
    """
    where = f"{path}: column {column.name!r}"
    missing = column.isna().to_numpy()
    if missing.any() and not may_be_missing:
        raise DataError(f"{where} has no value in data row {int(missing.argmax()) + 1}. Fill it in.")
    if kind == "text":
        return column
    if kind == "number":
        return _numbers(column, where, decimal_comma)
    integers = [_integer(text) if isinstance(text, str) else None for text in column]
    wrong = np.array([value is None for value in integers]) & ~missing
    if kind == "id" and (wrong.any() or missing.any() or column.map(_leads_with_zero).any()):
        return column
    if wrong.any():
        raise _wrong_type(where, kind, column, wrong)
    return column.astype("float64") if missing.any() else _int64(column, integers)


def _numbers(column: pd.Series, where: str, decimal_comma: bool) -> pd.Series:
    """Return a column as float64; with a decimal comma, `1,5` is a number too."""
    import pandas as pd

    if decimal_comma and not pd.api.types.is_numeric_dtype(column):
        column = column.astype(str).str.replace(",", ".", regex=False).where(column.notna())
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = numbers.isna() & ~column.isna()
    if wrong.any():
        raise _wrong_type(where, "number", column, wrong.to_numpy())
    return numbers


def _wrong_type(where: str, kind: Kind, column: pd.Series, wrong: Mask) -> DataError:
    """Return the error for the first value of another type.

    Args:
        where: file and column, for the message.
        kind: the kind that the column must have.
        column: its values, n of them.
        wrong: (n,) bool, True where the type is another.
    """
    row = int(wrong.argmax())
    value = column.iloc[row]
    text = repr(value) if isinstance(value, str) and decimal_of(value) is None else str(value)
    return DataError(f"{where} must hold {_KIND_NAMES[kind]}; data row {row + 1} holds {text}.")


def _integer(text: str) -> int | None:
    """Return the integer that `17`, `17.0` or `1e3` spells; None for other texts and outside the range of int64."""
    number = decimal_of(text)
    if number is None or not -_LIMIT <= number < _LIMIT or number != number.to_integral_value():
        return None
    return int(number)


def decimal_of(text: str) -> Decimal | None:
    """Return the finite decimal number that a text spells, exactly; None if it spells none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and text.isascii() and "_" not in text else None


def _leads_with_zero(text: str) -> bool:
    digits = text.strip().lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal()


def _int64(column: pd.Series, values: list[int | None]) -> pd.Series:
    import pandas as pd

    return pd.Series(np.array(values, dtype=np.int64), index=column.index, name=column.name)
