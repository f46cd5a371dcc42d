"""The competition's files: two arrays of factors, the submission with its cluster numbers, the metric.

Layout: `data_1.npz` with the key `arr_0`, (n, 128, 4), and `data_2.npz` with the same key, (n, 4, 128), both float32
and nowhere negative; picture i is their product `arr_1[i] @ arr_2[i]` (the competition has n = 3,840). Other keys,
kinds of numbers and transposed arrays are read with a warning where they can be meant in one way only. A submission has
the columns `id` (0 to n - 1) and `target` (a cluster number, 0 to 31).
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError, SubmissionError, first_of, warn
from neoai_utils.signatures import identify
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

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
    """Read and check everything the competition gives; warn of swapped or transposed factors and negative numbers.

    Raises:
        DataError: a file is missing, damaged, or holds no array of factors; an array holds no real numbers, an infinity
            or a gap; or the two differ in their counts.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    first, second = (_array(data_dir / name) for name in REQUIRED)
    if len(first) != len(second):
        raise DataError(
            f"{data_dir}: {REQUIRED[0]} holds {len(first)} pictures but {REQUIRED[1]} holds {len(second)}. "
            "Both files must come from the same download."
        )
    return Factors(*_laid_out(first, second, data_dir))


def _laid_out(first: Array, second: Array, data_dir: Path) -> tuple[Array, Array]:
    """Return (n, 128, 4) and (n, 4, 128), also of swapped arrays and of one that is transposed.

    (Two transposed arrays look like swapped ones; their product is the same picture, mirrored at its diagonal.)
    """
    tall, wide = (SIDE, RANK), (RANK, SIDE)
    if (first.shape[1:], second.shape[1:]) == (wide, tall):
        warn(f"{data_dir}: {REQUIRED[0]} has the shape of {REQUIRED[1]} and the other way round; read as swapped.")
        return second, first
    laid = []
    for name, array, wanted in zip(REQUIRED, (first, second), (tall, wide), strict=True):
        if array.shape[1:] != wanted:
            warn(f"{data_dir / name} has the shape {array.shape}; read as transposed.")
        laid.append(array if array.shape[1:] == wanted else array.swapaxes(1, 2))
    return laid[0], laid[1]


def submission(labels: NDArray[np.integer]) -> pd.DataFrame:
    """Return the submission of n cluster numbers, in the order of the pictures."""
    import pandas as pd

    return pd.DataFrame({"id": np.arange(len(labels)), "target": np.asarray(labels, dtype=np.int64)})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check that every picture has a row and every row a cluster number.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

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


def _array(path: Path) -> Array:
    """Read and check one file: (n, 128, 4) or (n, 4, 128), float32."""
    name, array = _load(path)
    if name != KEY:
        warn(f"{path} has no array {KEY} of factors; {name} has their shape and is taken.")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{path} must hold numbers (float32), this one holds {array.dtype}. Copy the file again.")
    if array.dtype.kind != "f":
        warn(f"{path} holds whole numbers ({array.dtype}) in place of float32; taken as they are.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is told below
        numbers: Array = array.astype(np.float32, copy=False)
    strange = ~np.isfinite(numbers)
    if strange.any():
        raise DataError(f"{path} holds a gap or an infinity, first in {_place(strange)}. Copy the file again.")
    below = numbers < 0
    if below.any():
        count = np.count_nonzero(below)
        warn(f"{path}: {count} of {below.size} numbers are negative, first in {_place(below)}; taken as they are.")
    return numbers


def _place(marked: NDArray[np.bool_]) -> str:
    """Return where the first True of (n, rows, columns) is."""
    picture, row, column = np.unravel_index(int(marked.argmax()), marked.shape)
    return f"picture {picture}, row {row}, column {column}"


def _fits(array: NDArray[np.generic]) -> bool:
    return array.ndim == 3 and len(array) > 0 and array.shape[1:] in ((SIDE, RANK), (RANK, SIDE))


def _load(path: Path) -> tuple[str, NDArray[np.generic]]:
    """Return name and values of the factors in a file: those under the key, else the only ones of their shape.

    Pickled objects are refused, as reading them could run code.
    """
    arrays = _arrays(path)
    fitting = [name for name, array in arrays.items() if _fits(array)]
    if KEY in fitting:
        return KEY, arrays[KEY]
    if len(fitting) != 1:
        found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "nothing"
        raise DataError(
            f"{path} must hold one array {KEY} of the shape (n, {SIDE}, {RANK}) or (n, {RANK}, {SIDE}); "
            f"found: {found}. Copy the competition's file again."
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
        told = identify(path)
        if not told or ".npy" in told:  # which an archive of NumPy's own holds
            told = f"{reason}. Copy the competition's file again"
        raise DataError(f"{path} cannot be read as an archive of plain numbers: {told}.") from error
    if strange := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise DataError(f"{path} is an archive that holds {first_of(strange)}, no arrays. Unpack it.")
    return arrays


def _count(path: Path) -> int:
    require_paths(path.parent, [path.name])
    return len(_load(path)[1])
