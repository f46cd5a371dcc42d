"""The competition's files: pictures, the table of trained classes, the network, the submission, the metric.

Layout: `train.csv` (`path`: a file of `train_images/`, `class`: a number), `train_images/`, `test_images/` and
`model.pt` (see `checkpoint`). A submission has the columns `id` (name of a test picture) and `class`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError, ParameterError, SubmissionError
from neoai_utils.tables import Kind, check_rows, read_csv, read_submission, require_paths

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
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
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
        DataError: a file or folder is missing (what is there is named), a picture of the table is missing or appears
            twice, a class is not one of the 102, every class is trained, or a folder holds no picture.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    table = read_csv(data_dir / REQUIRED[0], {"path": "text", "class": "integer"}, id_column="path")
    strange = table.loc[~table["class"].between(0, CLASSES - 1), "class"]
    if len(strange):
        raise DataError(f"{data_dir / REQUIRED[0]}: class {strange.iloc[0]} is not one of 0 to {CLASSES - 1}.")
    if table["class"].nunique() == CLASSES:
        raise DataError(f"{data_dir / REQUIRED[0]} holds all {CLASSES} classes; some must be old ones. Copy it again.")
    folder = data_dir / REQUIRED[1]
    for name in table["path"]:
        if Path(name).name != name or not (folder / name).is_file():
            raise DataError(
                f"{data_dir / REQUIRED[0]} names the picture {name!r}, which {folder} does not hold. "
                "Copy the pictures again, or take the row out."
            )
    return Underfitting(
        train_paths=tuple(folder / name for name in table["path"]),
        train_classes=table["class"].to_numpy(dtype=np.int64),
        test_paths=_pictures_in(data_dir / REQUIRED[2]),
        model_path=data_dir / REQUIRED[3],
        side=_side(data_dir / "settings.json"),
    )


def pixels(paths: Sequence[Path], side: int, border: Border = "black") -> Picture:
    """Decode pictures into one array for the network, (n, 3, side, side) uint8 RGB; see `to_square`.

    Raises:
        DataError: naming the first picture that does not decode.
    """
    stack = np.empty((len(paths), 3, side, side), dtype=np.uint8)
    for row, path in enumerate(paths):
        stack[row] = to_square(_decode(path), side, border).transpose(2, 0, 1)
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
        The submission in the form that is written, as `tables.check_rows` says.

    Raises:
        SubmissionError: naming the first column, picture or class at fault.
    """
    frame = check_rows(frame, _SUBMISSION, [path.name for path in _pictures_in(Path(data_dir) / REQUIRED[2])])
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


def _pictures_in(folder: Path) -> tuple[Path, ...]:
    """Return the folder's pictures, sorted by name; other files are ignored."""
    if not folder.is_dir():
        raise DataError(f"the folder {folder} does not exist. Copy the competition's files again.")
    entries = sorted(folder.iterdir(), key=lambda path: path.name)
    paths = tuple(p for p in entries if p.suffix.lower() in _SUFFIXES and not p.name.startswith("."))
    if not paths:
        found = ", ".join(path.name for path in entries[:8]) or "nothing"
        raise DataError(f"{folder} holds no picture; found: {found}. Copy the pictures there.")
    return paths


def _decode(path: Path) -> Picture:
    from PIL import Image

    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} does not decode as a picture: {error}. Copy the file again.") from error


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
