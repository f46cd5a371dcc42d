"""The competition's files: pictures, the table of trained classes, the network, the submission, the metric.

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
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neoai_utils import pictures
from neoai_utils.errors import DataError, ParameterError, SubmissionError, first_of, warn
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLASSES", "REQUIRED", "Border", "Underfitting", "accuracies", "check_submission", "grade", "parse_submission",
    "pixels", "read", "submission", "to_square",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("train.csv", "train_images", "test_images", "model.pt")
CLASSES = 102
"""Outputs of the competition's network."""

Border = Literal["black", "edge", "mirror"]
_SUBMISSION: dict[str, Kind] = {"id": "text", "class": "integer"}
_SIDE = 224
_LEAST_SIDE = 32  # a TinyViT halves the picture five times

Picture = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Underfitting:
    """What the competition gives.

    Attributes:
        train_paths: the labelled pictures, in the order of `train.csv`.
        train_classes: (n,) int64, their classes.
        test_paths: the pictures to classify, sorted by name.
        model_path: the network's file.
        side: pixels along a side of the network's input: 224, or what the miniature's `settings.json` says.
    """

    train_paths: tuple[Path, ...]
    train_classes: Numbers
    test_paths: tuple[Path, ...]
    model_path: Path
    side: int = _SIDE

    @property
    def weak(self) -> Numbers:
        """Return the classes that have labelled pictures, ascending."""
        return np.unique(self.train_classes)

    @property
    def old(self) -> Numbers:
        """Return the classes that have none, ascending."""
        return np.setdiff1d(np.arange(CLASSES), self.weak)

    @property
    def test_ids(self) -> tuple[str, ...]:
        """Return the names of the test pictures, sorted."""
        return tuple(path.name for path in self.test_paths)


def read(data_dir: Path) -> Underfitting:
    """Read and check the tables and the listings (`pixels` decodes the pictures, `checkpoint.load` the network).

    Raises:
        DataError: a file or folder is missing (what is there is named), a picture of the table appears twice, all
            pictures of a class are missing, a class is not one of the 102, every class is trained, or a folder holds
            no picture.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    table_path, folder = data_dir / REQUIRED[0], data_dir / REQUIRED[1]
    table = read_csv(table_path, {"path": "text", "class": "integer"}, id_column="path")
    strange = table.loc[~table["class"].between(0, CLASSES - 1), "class"]
    if len(strange):
        shifted = strange.eq(CLASSES).all() and table["class"].min() > 0
        remedy = " Subtract 1 from all: they seem to begin at 1." if shifted else ""
        raise DataError(f"{table_path}: class {strange.iloc[0]} is not one of 0 to {CLASSES - 1}.{remedy}")
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


def _named(names: Sequence[str], paths: Sequence[Path]) -> list[Path | None]:
    """Return the picture that each name of the table means, None for no picture.

    Folders before a name do not count (`train_images/a.png`, also with backslashes), nor does the case; a name may
    lack its end. A name that fits several pictures means none.
    """
    exact = {path.name: path for path in paths}
    plain: dict[str, set[Path]] = {}
    for path in paths:
        for name in (path.name, path.stem):
            plain.setdefault(_plain(name), set()).add(path)

    def meant(name: str) -> Path | None:
        last = PureWindowsPath(name.strip()).name  # knows both kinds of slashes
        alike = plain.get(_plain(last), set())
        return exact.get(last) or (next(iter(alike)) if len(alike) == 1 else None)

    return [meant(name) for name in names]


def _plain(name: str) -> str:
    """Return a name without differences of case and of Unicode's two spellings of accents (a Mac's names have one)."""
    return unicodedata.normalize("NFC", name).casefold()


def _check_files(table: pd.DataFrame, path: Path, folder: Path) -> None:
    """Check the columns path, class and file: stop where a class would lose all its pictures, warn of the rest.

    Raises:
        DataError: a class has no picture, or two rows mean one picture.
    """
    there = table["file"].notna()
    lost = ~table["class"].isin(table.loc[there, "class"])
    if lost.any():
        row = table[lost].iloc[0]
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


def pixels(paths: Sequence[Path], side: int, border: Border = "black") -> Picture:
    """Decode pictures into one array for the network, (n, 3, side, side) uint8 RGB; see `to_square`.

    Raises:
        DataError: naming the first picture that does not decode.
    """
    stack = np.empty((len(paths), 3, side, side), dtype=np.uint8)
    for row, path in enumerate(paths):
        stack[row] = to_square(pictures.read(path), side, border).transpose(2, 0, 1)
    return stack


def to_square(picture: Picture, side: int, border: Border = "black") -> Picture:
    """Scale the longer side of (height, width, 3) to `side` and pad the shorter one on both ends.

    Args:
        picture: uint8 RGB.
        side: pixels along a side of the result.
        border: what the padding holds. "black" is what the published solution's library does today (its older
            versions mirrored), "edge" repeats the last row or column, "mirror" reflects without repeating it.

    Raises:
        ParameterError: there is no such border.
    """
    import cv2

    if border not in get_args(Border):
        raise ParameterError(f"border must be one of {', '.join(get_args(Border))}, got {border!r}.")
    height, width = picture.shape[:2]
    longest = max(height, width)
    new = max(1, round(height * side / longest)), max(1, round(width * side / longest))
    shrinking = longest > side
    scaled = cv2.resize(picture, new[::-1], interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    top, left = (side - new[0]) // 2, (side - new[1]) // 2
    kind = {"black": cv2.BORDER_CONSTANT, "edge": cv2.BORDER_REPLICATE, "mirror": cv2.BORDER_REFLECT_101}[border]
    return np.asarray(cv2.copyMakeBorder(scaled, top, side - new[0] - top, left, side - new[1] - left, kind))


def submission(test_ids: Sequence[str], classes: NDArray[np.integer]) -> pd.DataFrame:
    """Return the submission of one class per test picture, in the order of `test_ids`."""
    import pandas as pd

    return pd.DataFrame({"id": list(test_ids), "class": np.asarray(classes, dtype=np.int64)})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, that every test picture appears once, and that every class is one of the 102.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first column, picture or class at fault.
    """
    frame = check_rows(frame, _SUBMISSION, [path.name for path in pictures.listed(Path(data_dir) / REQUIRED[2])])
    wrong = ~frame["class"].isin(range(CLASSES))
    if wrong.any():
        row = frame[wrong].iloc[0]
        raise SubmissionError(f"{row['id']}: class {row['class']} is not a whole number from 0 to {CLASSES - 1}.")
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the accuracy over all test pictures; also over those of old and of weak classes, and their mean."""
    truth = read_csv(Path(answers_dir) / "answers.csv", {"id": "text", "class": "integer", "weak": "integer"})
    check_rows(frame, _SUBMISSION, truth["id"])
    given = truth[["id"]].merge(frame, on="id", validate="one_to_one")["class"]
    return accuracies(given.to_numpy(), truth["class"].to_numpy(), truth["weak"].to_numpy() == 1)


def accuracies(given: NDArray[np.integer], truth: NDArray[np.integer], weak: NDArray[np.bool_]) -> dict[str, float]:
    """Return accuracy, and accuracy on `old`, on `weak` pictures, and the `mean` of these two."""
    right = np.asarray(given) == np.asarray(truth)
    old_part, weak_part = float(right[~weak].mean()), float(right[weak].mean())
    return {"accuracy": float(right.mean()), "old": old_part, "weak": weak_part, "mean": (old_part + weak_part) / 2}


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_submission(Path(path), _SUBMISSION, id_column="id")


def _side(path: Path) -> int:
    if not path.exists():
        return _SIDE
    try:
        side = json.loads(path.read_text(encoding="utf-8"))["side"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f'{path} cannot be read: {error!r}. Remove it, or write {{"side": {_SIDE}}}.') from error
    if not isinstance(side, int) or side < _LEAST_SIDE:
        raise DataError(f"{path}: side must be a whole number of at least {_LEAST_SIDE}, got {side!r}.")
    return side
