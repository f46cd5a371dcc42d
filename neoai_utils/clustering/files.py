"""The competition's files: two arrays of factors, the submission with its cluster numbers, the metric.

Layout: `data_1.npz` with the key `arr_0`, (n, 128, 4), and `data_2.npz` with the same key, (n, 4, 128), both float32
and nowhere negative; picture i is their product `arr_1[i] @ arr_2[i]` (the competition has n = 3,840). A submission has
the columns `id` (0 to n - 1) and `target` (a cluster number, 0 to 31).
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tables import Kind, check_rows, read_csv, read_submission, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CLUSTERS", "REQUIRED", "Factors", "check_submission", "grade", "parse_submission", "read", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("data_1.npz", "data_2.npz")
CLUSTERS = 32
KEY = "arr_0"
_SUBMISSION: dict[str, Kind] = {"id": "integer", "target": "integer"}
SIDE, RANK = 128, 4

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Factors:
    """What the competition gives.

    Attributes:
        left: (n, 128, 4) float32, the columns' side of each picture's factorisation.
        right: (n, 4, 128) float32, the rows' side.
    """

    left: Array
    right: Array

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.left)


def read(data_dir: Path) -> Factors:
    """Read and check everything the competition gives.

    Raises:
        DataError: a file is missing, damaged, or lacks the key `arr_0`; an array has another shape, is no array of
            floating-point numbers, holds a negative number, an infinity or a gap; or the two differ in their counts.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    left = _array(data_dir / REQUIRED[0], (SIDE, RANK))
    right = _array(data_dir / REQUIRED[1], (RANK, SIDE))
    if len(left) != len(right):
        raise DataError(
            f"{data_dir}: {REQUIRED[0]} holds {len(left)} pictures but {REQUIRED[1]} holds {len(right)}. "
            "Both files must come from the same download."
        )
    return Factors(left, right)


def submission(labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return the submission of n cluster numbers, in the order of the pictures."""
    import pandas as pd

    return pd.DataFrame({"id": np.arange(len(labels)), "target": np.asarray(labels, dtype=np.int64)})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check that every picture has a row and every row a cluster number.

    Returns:
        The submission in the form that is written, as `tables.check_rows` says.

    Raises:
        SubmissionError: naming the first row at fault.
    """
    frame = check_rows(frame, _SUBMISSION, range(_count(Path(data_dir) / REQUIRED[0])))
    for number, target in zip(frame["id"], frame["target"], strict=True):
        if not 0 <= target < CLUSTERS:
            raise SubmissionError(
                f"id {number}: the target must be a cluster number, a whole number from 0 to {CLUSTERS - 1}, "
                f"not {target}."
            )
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the adjusted Rand index of a checked submission, and the normalised mutual information beside it.

    `answers_dir/answers.csv` has the columns `id` and `source`. Both measures ask which pictures are together, so the
    names of the clusters do not matter.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    answers = read_csv(Path(answers_dir) / "answers.csv", {"id": "integer", "source": "integer"}, id_column="id")
    check_rows(frame, _SUBMISSION, answers["id"])
    truth = answers.set_index("id")["source"].loc[frame["id"]].to_numpy()
    labels = frame["target"].to_numpy()
    return {
        "ari": float(adjusted_rand_score(truth, labels)),
        "nmi": float(normalized_mutual_info_score(truth, labels)),
    }


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or holds something else than whole numbers.
    """
    return read_submission(Path(path), _SUBMISSION, id_column="id")


def _array(path: Path, shape: tuple[int, int]) -> Array:
    """Read and check one file: (n, *shape) float32."""
    array: NDArray[Any] = _load(path)
    wanted = f"(n, {shape[0]}, {shape[1]})"
    if array.ndim != len(shape) + 1 or array.shape[1:] != shape or not len(array):
        raise DataError(
            f"{path}: {KEY} must have the shape {wanted}, this one has {array.shape}. Were the two files swapped?"
        )
    if array.dtype.kind != "f":
        raise DataError(
            f"{path}: {KEY} must hold floating-point numbers (float32), this one holds {array.dtype}. "
            "Copy the competition's file again."
        )
    array = array.astype(np.float32, copy=False)
    for problem, wrong in (("a gap or an infinity", ~np.isfinite(array)), ("a negative number", array < 0)):
        if wrong.any():
            row = int(wrong.any(axis=(1, 2)).argmax())
            raise DataError(f"{path}: {KEY} holds {problem}, first in picture {row}. Copy the file again.")
    return array


def _load(path: Path) -> NDArray[np.generic]:
    """Return the array under the key; pickled objects are refused, as reading them could run code."""
    try:
        opened = np.load(path, allow_pickle=False)
        if isinstance(opened, np.ndarray):
            raise DataError(f"{path} holds a bare array, not an archive with the key {KEY}. Write it with np.savez.")
        with opened:
            if KEY not in opened.files:
                found = ", ".join(opened.files) or "nothing"
                raise DataError(f"{path} has no key {KEY}; found: {found}. Copy the competition's file again.")
            array: NDArray[np.generic] = opened[KEY]
            return array
    except DataError:
        raise
    except (OSError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).split(". If you trust", maxsplit=1)[0]  # NumPy's advice is to run a stranger's code
        raise DataError(
            f"{path} cannot be read as an archive of plain numbers: {reason}. Copy the competition's file again."
        ) from error


def _count(path: Path) -> int:
    require_paths(path.parent, [path.name])
    return len(_load(path))
