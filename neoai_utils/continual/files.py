"""The competition's files: pictures, the table of labelled classes, the network, and the submission.

Layout: `train.csv` (`path`: a file of `train_images/`, `class`: a number), `train_images/`, `test_images/` and
`model.pt` (see `checkpoint`). A submission has the columns `id` (name of a test picture) and `class`. Pictures of all
usual formats are read, see `neoai_utils.pictures`.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neoai_utils import pictures
from neoai_utils.arrays import Integers, Picture
from neoai_utils.continual import metric
from neoai_utils.continual.preprocessing import to_square
from neoai_utils.errors import DataError, SubmissionError, first_of, warn
from neoai_utils.runtime import progress
from neoai_utils.scores import Grades
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ANSWERS", "CLASSES", "REQUIRED", "Underfitting", "check_submission", "grade", "parse_submission", "pixels", "read",
    "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("train.csv", "train_images", "test_images", "model.pt")
ANSWERS = "answers.csv"
CLASSES = 102
"""Outputs of the competition's network."""

_SUBMISSION: dict[str, Kind] = {"id": "text", "class": "integer"}
_SIDE = 224
_MIN_SIDE = 32  # a TinyViT halves the picture five times


@dataclass(frozen=True)
class Underfitting:
    """The competition's data.

    Attributes:
        train_paths: the labelled pictures, in the order of `train.csv`.
        train_classes: (n,) their classes.
        test_paths: the pictures to classify, sorted by name.
        model_path: the network's file.
        side: pixels along a side of the network's input: 224, or what the miniature's `settings.json` says.
    """

    train_paths: tuple[Path, ...]
    train_classes: Integers
    test_paths: tuple[Path, ...]
    model_path: Path
    side: int = _SIDE

    @property
    def weak(self) -> Integers:
        """Return the classes that have labelled pictures, ascending."""
        return np.unique(self.train_classes)

    @property
    def old(self) -> Integers:
        """Return the classes that have none, ascending."""
        return np.setdiff1d(np.arange(CLASSES), self.weak)

    @property
    def test_ids(self) -> tuple[str, ...]:
        """Return the names of the test pictures, sorted."""
        return tuple(path.name for path in self.test_paths)


def read(data_dir: Path) -> Underfitting:
    """Read and check the tables and the listings (`pixels` decodes the pictures, `checkpoint.load` the network).

    Raises:
        DataError: a file or folder is missing (the message lists what exists), a picture of the table appears twice,
            all pictures of a class are missing, a class is not one of the 102, every class has pictures, or a folder
            holds no picture.
    """
    require_paths(data_dir, REQUIRED)
    table_path, folder = data_dir / REQUIRED[0], data_dir / REQUIRED[1]
    table = read_csv(table_path, {"path": "text", "class": "integer"}, id_column="path")
    invalid = table.loc[~table["class"].between(0, CLASSES - 1), "class"]
    if len(invalid):
        shifted = invalid.eq(CLASSES).all() and table["class"].min() > 0
        remedy = " Subtract 1 from all: they seem to begin at 1." if shifted else ""
        raise DataError(f"{table_path}: class {invalid.iloc[0]} is not one of 0 to {CLASSES - 1}.{remedy}")
    if table["class"].nunique() == CLASSES:
        raise DataError(f"{table_path} holds all {CLASSES} classes; some must be old ones. Copy it again.")
    table["file"] = np.array(_named(table["path"].tolist(), pictures.listed(folder)), dtype=object)
    _check_files(table, table_path, folder)
    table = table.dropna(subset=["file"])
    return Underfitting(
        train_paths=tuple(table["file"]),
        train_classes=table["class"].to_numpy(dtype=np.int64),
        test_paths=pictures.listed(data_dir / REQUIRED[2]),
        model_path=data_dir / REQUIRED[3],
        side=_side(data_dir / "settings.json"),
    )


def pixels(paths: Sequence[Path], side: int) -> Picture:
    """Decode pictures into one array for the network, (n, 3, side, side) uint8 RGB; see `preprocessing.to_square`.

    Raises:
        DataError: naming the first picture that does not decode.
    """
    stack = np.empty((len(paths), 3, side, side), dtype=np.uint8)
    for row, path in enumerate(progress(paths, "decoding pictures")):
        stack[row] = to_square(pictures.read(path), side).transpose(2, 0, 1)
    return stack


def submission(test_ids: Sequence[str], predictions: NDArray[np.integer]) -> pd.DataFrame:
    """Return the submission: one predicted class for each test picture, in the order of `test_ids`.

    Raises:
        SubmissionError: there are more or fewer predictions than pictures, or they are not one-dimensional.
    """
    import pandas as pd

    classes = np.asarray(predictions, dtype=np.int64)
    if classes.shape != (len(test_ids),):
        raise SubmissionError(f"{len(test_ids)} ids need as many predictions; got an array of shape {classes.shape}.")
    return pd.DataFrame({"id": list(test_ids), "class": classes})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, that every test picture appears once, and that every class is one of the 102.

    Returns:
        The submission in the form in which it is written; see `submissions.check_rows`.

    Raises:
        SubmissionError: naming the first column, picture or class at fault.
    """
    frame = check_rows(frame, _SUBMISSION, [path.name for path in pictures.listed(data_dir / REQUIRED[2])])
    wrong = ~frame["class"].isin(range(CLASSES))
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise SubmissionError(f"{row['id']}: class {row['class']} is not a whole number from 0 to {CLASSES - 1}.")
    return frame


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a `submission.csv` back.

    Raises:
        DataError: the file is missing, is not a CSV table, or lacks a column.
    """
    return read_submission(path, _SUBMISSION, id_column="id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Grade a submission, whose ids may be in any order; see `metric.grade`."""
    answers = read_csv(answers_dir / ANSWERS, {"id": "text", "class": "integer", "weak": "integer"}, id_column="id")
    both = answers.merge(frame, on="id", suffixes=("", "_predicted"), validate="one_to_one")
    return metric.grade(both["class_predicted"].to_numpy(), both["class"].to_numpy(), both["weak"].to_numpy() == 1)


def _named(names: Sequence[str], paths: Sequence[Path]) -> list[Path | None]:
    """Return the picture that each name of the table denotes, None for no picture.

    Folders before a name are ignored (`train_images/a.png`, also with backslashes), and so is the case; a name may
    lack its suffix. A name that fits several pictures denotes none.
    """
    exact = {path.name: path for path in paths}
    plain: dict[str, set[Path]] = {}
    for path in paths:
        for name in (path.name, path.stem):
            plain.setdefault(_plain(name), set()).add(path)

    def picture(name: str) -> Path | None:
        last = PureWindowsPath(name.strip()).name  # splits at both kinds of slashes
        alike = plain.get(_plain(last), set())
        return exact.get(last) or (next(iter(alike)) if len(alike) == 1 else None)

    return [picture(name) for name in names]


def _plain(name: str) -> str:
    """Return a name in lower case and with accents as single characters, which macOS writes as two."""
    return unicodedata.normalize("NFC", name).casefold()


def _check_files(table: pd.DataFrame, path: Path, folder: Path) -> None:
    """Check the columns path, class and file; warn of rows without a picture and of pictures without a row.

    Raises:
        DataError: a class has no picture, or two rows denote one picture.
    """
    there = table["file"].notna()
    without = ~table["class"].isin(table.loc[there, "class"])
    if without.any():
        row = table[without].iloc[0]
        raise DataError(
            f"{path} names the picture {row['path']!r}, which {folder} does not hold, and no other picture of class "
            f"{row['class']} is there. Copy the pictures again, or take the row out."
        )
    twice = there & table["file"].duplicated()
    if twice.any():
        file = table.loc[twice, "file"].iloc[0]
        raise DataError(f"{path}: {file.name} is named in two rows. Keep one of them.")
    if not there.all():
        warn(f"{path} names {first_of(table.loc[~there, 'path'].tolist())}, which {folder} lacks; left out.")
    if unused := sorted(picture.name for picture in set(pictures.listed(folder)) - set(table["file"])):
        warn(f"{folder}: {first_of(unused)} in no row of {path.name}; left out.")


def _side(path: Path) -> int:
    """Return the input size that the miniature's `settings.json` states; the competition has no such file."""
    if not path.exists():
        return _SIDE
    try:
        side = json.loads(path.read_text(encoding="utf-8"))["side"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} cannot be read: {error!r}. Remove it, or write {{"side": {_SIDE}}}.') from error
    if not isinstance(side, int) or side < _MIN_SIDE:
        raise DataError(f"{path}: side must be a whole number of at least {_MIN_SIDE}, got {side!r}.")
    return side
