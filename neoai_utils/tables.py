"""CSV tables read with their promises checked: columns, types, gaps and ids; and submissions brought into their form.

In text only an empty cell is a gap: `None`, `NA` or `null` are words that people write. In numbers they are gaps.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from neoai_utils import errors
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "LOST_CHARACTERS", "Kind", "check_rows", "check_same", "read_csv", "read_submission", "require_paths",
    "write_submission",
]  # fmt: skip

Kind = Literal["integer", "number", "text", "id"]
"""What a column holds; an `id` is whole numbers if all of its values are, else text as it stands."""

_WORDS = {"integer": "whole numbers", "number": "numbers"}
_ONE = {"integer": "a whole number", "number": "a number", "text": "a text"}
_GAPS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_WHOLE = re.compile(r"[+-]?[0-9]+", re.ASCII)
_LIMIT = 2**63
LOST_CHARACTERS = re.compile("[\0\ud800-\udfff]")
"""What no CSV file keeps: readers end a text at NUL, and half of a surrogate pair has no UTF-8."""


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


# ------------------------------------------------------------------------------------------------------ reading


def read_csv(
    path: Path,
    columns: Mapping[str, Kind],
    *,
    id_column: str | None = None,
    allow_missing: Collection[str] = (),
) -> pd.DataFrame:
    """Read a CSV file and check it.

    Other separators and encodings than commas and UTF-8 are read with a warning.

    Args:
        path: the file.
        columns: name -> kind of every column that must be there; further columns are kept as they are.
        id_column: this column must have no gap and no duplicate.
        allow_missing: columns that may have gaps; the others may not.

    Returns:
        The table; "integer" columns as int64 (float64 where there are gaps), "number" as float64, "text" as str
        objects, "id" as int64 or, unless all are whole numbers without leading zeros, as str objects.

    Raises:
        DataError: the file is missing, empty or no CSV; a column is missing (what was found is named), has
            the wrong type or a forbidden gap; an id is missing or appears twice.
    """
    return _read(Path(path), columns, id_column, allow_missing, exact=False)


def read_submission(path: Path, columns: Mapping[str, Kind], id_column: str | None = None) -> pd.DataFrame:
    """Read a submission's file back, as `read_csv` does; the form must be right, as its next reader is a stranger.

    Raises:
        DataError: as in `read_csv`, and if the file is not in UTF-8 with commas.
    """
    return _read(Path(path), columns, id_column, (), exact=True)


def _read(
    path: Path, columns: Mapping[str, Kind], id_column: str | None, allow_missing: Collection[str], *, exact: bool
) -> pd.DataFrame:
    text = read_text(path, exact=exact)
    separator = _separator(path, text, columns, exact)
    frame = _parsed(path, text, separator, columns)
    if frame.empty:
        raise DataError(f"{path} has a header but no rows. Copy or write it again.")
    for name, kind in columns.items():
        frame[name] = _checked_column(frame[name], kind, path, gaps=name in allow_missing, comma=separator == ";")
    if id_column is not None and frame[id_column].duplicated().any():
        twice = frame.loc[frame[id_column].duplicated(), id_column].iloc[0]
        raise DataError(f"{path}: the {id_column} {twice} appears more than once. Keep one of its rows.")
    return frame


def _no_table(path: Path, reason: object) -> DataError:
    return DataError(
        f"{path} cannot be read as a CSV table: {reason}. Write it as UTF-8 text with commas, or copy it again."
    )


def _separator(path: Path, text: str, columns: Collection[str], exact: bool) -> str:
    """Return the separator with which the header holds the columns.

    Raises:
        DataError: the file is empty, or there is none.
    """
    found = _header(text, ",")
    if not found:
        raise _no_table(path, "it is empty")
    if missing := [name for name in columns if name not in found]:
        for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
            if not set(columns) - set(_header(text, separator)) and not exact:
                errors.warn(f"{path} is separated by {word}, not by commas; read so.")
                return separator
        raise DataError(
            f"{path} has no column {missing[0]!r}; found: {', '.join(found)}. The columns are {', '.join(columns)}."
        )
    return ","


def _header(text: str, separator: str) -> list[str]:
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return next((row for row in rows if row), [])
    except csv.Error:
        return []


def _parsed(path: Path, text: str, separator: str, columns: Mapping[str, Kind]) -> pd.DataFrame:
    """Parse with pandas: text and whole numbers as str, numbers as float64 to the last digit."""
    import pandas as pd

    words = {name: [""] for name, kind in columns.items() if kind in ("text", "id")}
    # what newer versions do anyway, and warn of being asked for
    to_the_last_digit: dict[str, Any] = (
        {} if int(pd.__version__.split(".")[0]) > 2 else {"float_precision": "round_trip"}
    )
    gaps = {name: list(_GAPS) for name in _header(text, separator)} | words
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.ParserWarning)  # of rows longer than the header, which are looked at
        warnings.simplefilter("ignore", pd.errors.DtypeWarning)  # of columns that nobody asked for
        try:
            frame: pd.DataFrame = pd.read_csv(
                io.StringIO(text), sep=separator, index_col=False, na_values=gaps, keep_default_na=False,
                dtype={name: str for name, kind in columns.items() if kind != "number"}, **to_the_last_digit,
            )  # fmt: skip
        except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError, OverflowError) as error:
            raise _no_table(path, str(error).strip().rstrip(".")) from error
    _refuse_longer_rows(path, text, separator)
    return frame


def _refuse_longer_rows(path: Path, text: str, separator: str) -> None:
    """Raise `DataError` if the rows have more fields than the header: pandas would leave the rest out.

    (It refuses rows that are longer than the first one itself. A separator at the end of every row does no harm.)
    """
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)
    try:
        header, first = next(rows), next(rows, [])
        if len(first) > len(header) and any(field for row in (first, *rows) for field in row[len(header) :]):
            raise _no_table(path, "its first row has more fields than its header; quote text with commas")
    except csv.Error:  # a field too large for this reader: a picture, which holds no comma
        return


def _checked_column(column: pd.Series, kind: Kind, path: Path, *, gaps: bool, comma: bool) -> pd.Series:
    where = f"{path}: column {column.name!r}"
    empty = column.isna().to_numpy()
    if empty.any() and not gaps:
        raise DataError(f"{where} has no value in data row {int(empty.argmax()) + 1}. Fill it in.")
    if kind == "text":
        return column
    if kind == "number":
        return _numbers(column, where, comma)
    found = _exact(column)
    lost = np.array([value is None for value in found]) & ~empty
    if kind == "id":
        return column if lost.any() or empty.any() or column.map(_leads_with_zero).any() else _integers(column, found)
    if lost.any():
        raise _misfit(where, kind, column, lost)
    return column.astype("float64") if empty.any() else _integers(column, found)


def _numbers(column: pd.Series, where: str, comma: bool) -> pd.Series:
    """Return float64; where fields are separated by semicolons, `1,5` is a number too."""
    import pandas as pd

    if comma and not pd.api.types.is_numeric_dtype(column):
        column = column.astype(str).str.replace(",", ".", regex=False).where(column.notna())
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    wrong = numbers.isna() & ~column.isna()
    if wrong.any():
        raise _misfit(where, "number", column, wrong.to_numpy())
    return numbers


def _misfit(where: str, kind: Kind, column: pd.Series, wrong: np.ndarray[Any, np.dtype[np.bool_]]) -> DataError:
    row = int(wrong.argmax())
    held = column.iloc[row]
    shown = repr(held) if isinstance(held, str) and _decimal(held) is None else str(held)
    return DataError(f"{where} must hold {_WORDS[kind]}; data row {row + 1} holds {shown}.")


def _exact(column: pd.Series) -> list[int | None]:
    """Return the whole numbers that a column of text spells, to the last digit; None for all else."""
    return [_spelled(text) if isinstance(text, str) else None for text in column]


def _spelled(text: str) -> int | None:
    """Return the whole number of `17`, `17.0` or `1e3`; None for others and for what int64 does not hold."""
    number = _decimal(text)
    if number is None or not -_LIMIT <= number < _LIMIT or number != number.to_integral_value():
        return None
    return int(number)


def _decimal(text: str) -> Decimal | None:
    """Return the finite number that a text spells, None where it spells none."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and text.isascii() and "_" not in text else None


def _leads_with_zero(text: str) -> bool:
    digits = text.strip().lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1].isdecimal()


def _integers(column: pd.Series, values: list[int | None]) -> pd.Series:
    import pandas as pd

    return pd.Series(np.array(values, dtype=np.int64), index=column.index, name=column.name)


# -------------------------------------------------------------------------------------------------- submissions


def check_rows(
    frame: pd.DataFrame, columns: Mapping[str, Kind], ids: Iterable[object], id_column: str = "id"
) -> pd.DataFrame:
    """Check that a submission has exactly `columns`, no gap, and each of `ids` exactly once.

    Args:
        frame: the submission.
        columns: name -> kind, in their order.
        ids: of the test files, whole numbers or text.
        id_column: where they stand.

    Returns:
        The submission in the form that is written: whole numbers as int64 where floats (as a merge leaves them) or
        digits stood, other numbers as they are, text as it is; rows in the same order, numbered from 0.

    Raises:
        SubmissionError: naming the first column or id that is missing, extra, empty, repeated or of another type.
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
    wanted = set(ids)
    frame = frame.reset_index(drop=True)
    rows = [f"row {row}" for row in range(1, len(frame) + 1)]
    given = frame[id_column] = _in_form(frame[id_column], _kind_of(wanted), rows)
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
    rows = [f"{id_column} {name}" for name in given]
    for name, kind in columns.items():
        if name != id_column:
            frame[name] = _in_form(frame[name], kind, rows)
    return frame


def _kind_of(ids: Collection[object]) -> Kind:
    return "text" if any(isinstance(name, str) for name in ids) else "integer"


def _in_form(column: pd.Series, kind: Kind, rows: Sequence[str]) -> pd.Series:
    """Return a submission's column in its kind; `rows` names the rows for an error's message.

    Raises:
        SubmissionError: naming the first row of another type.
    """
    import pandas as pd

    types = pd.api.types
    if kind == "number" and types.is_numeric_dtype(column) and not types.is_bool_dtype(column):
        return column
    if kind == "integer" and types.is_signed_integer_dtype(column):
        return column.astype("int64")
    fit = {"integer": _whole, "number": _number, "text": _text}[kind]
    values = [fit(value) for value in column]
    if None in values:
        row = values.index(None)
        raise SubmissionError(f"{rows[row]}: the {column.name} {_of_another_type(column.iloc[row], kind)}")
    return pd.Series(values, index=column.index, name=column.name, dtype=object if kind == "text" else None)


def _of_another_type(held: object, kind: Kind) -> str:
    if kind == "integer" and isinstance(held, float | np.floating) and held == np.floor(held):
        return (
            f"is {held} ({type(held).__name__}), too large for a floating-point number to be exact. "
            "Keep whole numbers as int64 from the beginning."
        )
    shown = repr(held) if isinstance(held, str) else str(held)
    return f"must be {_ONE[kind]}, not {shown[:40]} (of type {type(held).__name__}). Write it as the test files do."


def _whole(value: object) -> int | None:
    """Return a whole number as int; None for others, and for floats so large that their neighbours were lost."""
    if isinstance(value, bool | np.bool_):
        return None
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        exact = 2 ** (np.finfo(type(value)).nmant + 1)
        return int(value) if abs(value) < exact and value == np.floor(value) else None
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None


def _number(value: object) -> float | None:
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    number = _decimal(value) if isinstance(value, str) else None
    return None if number is None else float(number)


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return str(value)
    return str(_whole(value)) if _whole(value) is not None else None


def write_submission(frame: pd.DataFrame, path: Path) -> None:
    r"""Write a checked submission as CSV so that readers find its rows: all text is quoted if one holds a `\r`.

    (Python's writer quotes a lone `\r` since 3.11.9 and 3.12.3 only, and readers take a bare one for a line's end.)

    Raises:
        SubmissionError: a text holds a character that no CSV file keeps (its row is named); nothing is written.
    """
    bare = False
    for name, row, text in _texts(frame):
        if lost := LOST_CHARACTERS.search(text):
            raise SubmissionError(
                f"the submission's {name} in row {row + 1} holds the character {lost[0]!r}, which a CSV file does not "
                f"keep. Take it out: text.replace({lost[0]!r}, '')."
            )
        bare = bare or "\r" in text
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if bare else csv.QUOTE_MINIMAL
    frame.to_csv(path, index=False, lineterminator="\n", quoting=quoting)


def check_same(frame: pd.DataFrame, back: pd.DataFrame) -> None:
    """Check that a submission's file holds what was written.

    Args:
        frame: the checked submission.
        back: what its file was read as.

    Raises:
        SubmissionError: naming the first row that differs.
    """
    if list(back.columns) != list(frame.columns) or len(back) != len(frame):
        raise SubmissionError(
            f"the submission was written with {len(frame)} rows of {len(frame.columns)} columns and read back with "
            f"{len(back)} of {len(back.columns)}. Look for line breaks, quotes and separators in its texts."
        )
    for name in frame.columns:
        kept = back[name].astype(frame[name].dtype) if frame[name].dtype.kind == "f" else back[name]
        for row, (written, read) in enumerate(zip(frame[name], kept, strict=True), start=1):
            if written != read:
                raise SubmissionError(
                    f"the submission's file does not keep the {name} of row {row}: {repr(written)[:60]} was written, "
                    f"{repr(read)[:60]} read back. Write plain numbers and text."
                )


def _texts(frame: pd.DataFrame) -> Iterator[tuple[str, int, str]]:
    """Yield (column, row from 0, text) of each text."""
    for name in frame.columns:
        if frame[name].dtype.kind not in "biuf":
            yield from ((name, row, text) for row, text in enumerate(frame[name]) if isinstance(text, str))
