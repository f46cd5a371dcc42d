"""The competition's files: two arrays of factors, and the submission with its cluster numbers.

Layout: `data_1.npz` with the key `arr_0`, (n, 128, 4), and `data_2.npz` with the same key, (n, 4, 128), both float32
and nowhere negative; picture i is their product `arr_1[i] @ arr_2[i]` (the competition has n = 3,840). Other keys,
kinds of numbers and transposed arrays are read with a warning where their meaning is unambiguous. A submission has the
columns `id` (0 to n - 1) and `target` (a cluster number, 0 to 31). The metric is in `metric`.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32, Integers, Mask
from neoai_utils.clustering import metric
from neoai_utils.errors import DataError, SubmissionError, first_of, warn
from neoai_utils.scores import Grades
from neoai_utils.signatures import identify
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLUSTERS", "RANK", "REQUIRED", "SIDE", "Factors", "check_submission", "grade", "parse_submission", "read",
    "sources", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("data_1.npz", "data_2.npz")
CLUSTERS = 32
SIDE, RANK = 128, 4
_KEY = "arr_0"
_SUBMISSION: dict[str, Kind] = {"id": "integer", "target": "integer"}


@dataclass(frozen=True)
class Factors:
    """What the competition gives.

    Attributes:
        left: (n, 128, 4) float32, the column profiles of each picture's factorisation.
        right: (n, 4, 128) float32, the row profiles.
    """

    left: Float32
    right: Float32

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.left)


def read(data_dir: Path) -> Factors:
    """Read and check everything the competition gives; warn of swapped or transposed factors and negative numbers.

    Raises:
        DataError: a file is missing, damaged, or holds no array of factors; an array holds no real numbers, an infinity
            or a gap; or the two differ in their counts.
    """
    require_paths(data_dir, REQUIRED)
    first, second = (_array(data_dir / name) for name in REQUIRED)
    if len(first) != len(second):
        raise DataError(
            f"{data_dir}: {REQUIRED[0]} holds {len(first)} pictures but {REQUIRED[1]} holds {len(second)}. "
            "Both files must come from the same download."
        )
    return Factors(*_laid_out(first, second, data_dir))


def submission(labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return the submission of n cluster numbers, in the order of the pictures."""
    import pandas as pd

    return pd.DataFrame({"id": np.arange(len(labels)), "target": np.asarray(labels, dtype=np.int64)})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check that every picture has a row and every row a cluster number.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: names the first row at fault.
    """
    frame = check_rows(frame, _SUBMISSION, range(_count(data_dir / REQUIRED[0])))
    for number, target in zip(frame["id"], frame["target"], strict=True):
        if not 0 <= target < CLUSTERS:
            raise SubmissionError(
                f"id {number}: the target must be a cluster number, a whole number from 0 to {CLUSTERS - 1}, "
                f"not {target}."
            )
    return frame


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or holds something else than whole numbers.
    """
    return read_submission(path, _SUBMISSION, id_column="id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the grades of a checked submission, as `metric.grade` gives them.

    Args:
        frame: the submission.
        answers_dir: holds `answers.csv` with the columns `id` and `source`.

    Raises:
        SubmissionError: the ids are not those of the answers.
    """
    answers = _answers(answers_dir)
    check_rows(frame, _SUBMISSION, answers["id"])
    truth = answers.set_index("id")["source"].loc[frame["id"]].to_numpy()
    return metric.grade(truth, frame["target"].to_numpy())


def sources(answers_dir: Path | None) -> Integers | None:
    """Return the true source of each picture, (n), to inspect mistakes after the submission; None where unknown.

    Nothing that leads to a submission may call this: a test plays the notebook without the answers and compares.
    """
    return None if answers_dir is None else _answers(answers_dir).sort_values("id")["source"].to_numpy()


def _answers(answers_dir: Path) -> pd.DataFrame:
    return read_csv(answers_dir / "answers.csv", {"id": "integer", "source": "integer"}, id_column="id")


def _laid_out(first: Float32, second: Float32, data_dir: Path) -> tuple[Float32, Float32]:
    """Return (n, 128, 4) and (n, 4, 128), also of swapped arrays and of one that is transposed.

    (Two transposed arrays look like swapped ones; their product is the same picture, mirrored at its diagonal.)
    """
    tall, wide = (SIDE, RANK), (RANK, SIDE)
    if (first.shape[1:], second.shape[1:]) == (wide, tall):
        warn(f"{data_dir}: {REQUIRED[0]} has the shape of {REQUIRED[1]} and the other way round; read as swapped.")
        return second, first
    arrays = []
    for name, array, shape in zip(REQUIRED, (first, second), (tall, wide), strict=True):
        if array.shape[1:] != shape:
            warn(f"{data_dir / name} has the shape {array.shape}; read as transposed.")
        arrays.append(array if array.shape[1:] == shape else array.swapaxes(1, 2))
    return arrays[0], arrays[1]


def _array(path: Path) -> Float32:
    """Read and check one file: (n, 128, 4) or (n, 4, 128), float32."""
    name, array = _load(path)
    if name != _KEY:
        warn(f"{path} has no array {_KEY} of factors; {name} has their shape and is taken.")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} must hold numbers (float32), this one holds {array.dtype}. Copy the file again.")
    if array.dtype.kind != "f":
        warn(f"{path} holds whole numbers ({array.dtype}) in place of float32; taken as they are.")
    with np.errstate(over="ignore"):  # numbers beyond float32 become infinite and are reported below
        numbers: Float32 = array.astype(np.float32, copy=False)
    not_finite = ~np.isfinite(numbers)
    if not_finite.any():
        raise DataError(f"{path} holds a gap or an infinity, first in {_first(not_finite)}. Copy the file again.")
    negative = numbers < 0
    if negative.any():
        count = np.count_nonzero(negative)
        warn(
            f"{path}: {count} of {negative.size} numbers are negative, first in {_first(negative)}; taken as they are."
        )
    return numbers


def _first(condition: Mask) -> str:
    """Return the indices of the first True of (n, rows, columns) in words."""
    picture, row, column = np.unravel_index(int(condition.argmax()), condition.shape)
    return f"picture {picture}, row {row}, column {column}"


def _fits(array: NDArray[np.generic]) -> bool:
    return array.ndim == 3 and len(array) > 0 and array.shape[1:] in ((SIDE, RANK), (RANK, SIDE))


def _load(path: Path) -> tuple[str, NDArray[np.generic]]:
    """Return name and values of the factors in a file: those under the key, else the only ones of their shape.

    Pickled objects are refused, as reading them could run code.
    """
    arrays = _arrays(path)
    fitting = [name for name, array in arrays.items() if _fits(array)]
    if _KEY in fitting:
        return _KEY, arrays[_KEY]
    if len(fitting) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise DataError(
            f"{path} must hold one array {_KEY} of the shape (n, {SIDE}, {RANK}) or (n, {RANK}, {SIDE}); "
            f"found: {shapes}. Copy the competition's file again."
        )
    return fitting[0], arrays[fitting[0]]


def _arrays(path: Path) -> dict[str, NDArray[np.generic]]:
    """Return what arrays an .npz file holds, or the one of an .npy file under any other name."""
    try:
        opened = np.load(path, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            return {"the array without name": opened}
        with opened:
            arrays = {name: opened[name] for name in opened.files}
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).split(". If you trust", maxsplit=1)[0]  # NumPy's advice is to run a stranger's code
        explanation = identify(path)
        if not explanation or ".npy" in explanation:  # NumPy's archives hold such members
            explanation = f"{reason}. Copy the competition's file again"
        raise DataError(f"{path} cannot be read as an archive of plain numbers: {explanation}.") from error
    if others := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise DataError(f"{path} is an archive that holds {first_of(others)}, no arrays. Unpack it.")
    return arrays


def _count(path: Path) -> int:
    require_paths(path.parent, [path.name])
    return len(_load(path)[1])
