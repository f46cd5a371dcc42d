"""The competition's files: the prompts, and the submission with its texts.

Layout: `test.csv` with the column `prompt` (500 rows in the competition). A submission has the columns `prompt`, in
which every `"` has become `'`, and `generation`, the prompt with its continuation. The metric is in `metric`, the pairs
of HC3 are in `pairs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import errors
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.scores import Grades
from neoai_utils.steering import metric
from neoai_utils.submissions import read_submission
from neoai_utils.tables import LOST_CHARACTERS, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REQUIRED", "check_submission", "grade", "parse_submission", "read", "submission"]

REQUIRED: tuple[str, ...] = ("test.csv",)
_COLUMNS = ("prompt", "generation")


def read(data_dir: Path) -> list[str]:
    """Return the prompts of `test.csv` in order.

    Raises:
        DataError: the file is missing, no CSV table, has no column `prompt`, no rows, or an empty prompt.
    """
    require_paths(data_dir, REQUIRED)
    path = data_dir / REQUIRED[0]
    prompts: list[str] = read_csv(path, {"prompt": "text"})["prompt"].tolist()
    for row, prompt in enumerate(prompts, start=1):
        if not prompt.strip():
            raise DataError(f"{path}: the prompt in data row {row} is empty. Copy the file again.")
    return prompts


def submission(prompts: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
    """Return the submission of n prompts and their texts (prompt with continuation), in the order of `test.csv`.

    Characters that no CSV file keeps (NUL, half of a surrogate pair), which a model can write byte by byte, become
    U+FFFD, with a warning.
    """
    import pandas as pd

    cleaned = [LOST_CHARACTERS.sub("\ufffd", text) for text in texts]
    changed = [row for row, (text, new) in enumerate(zip(texts, cleaned, strict=True), start=1) if text != new]
    if changed:
        errors.warn(f"{len(changed)} generated texts hold characters that no CSV file keeps, first row {changed[0]}; "
                    "they are replaced.")  # fmt: skip
    rows = {"prompt": [_with_apostrophes(prompt) for prompt in prompts], "generation": cleaned}
    return pd.DataFrame(rows, dtype=str)


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check that the rows are the test prompts in their order, each with a text that begins with its prompt.

    Returns:
        The submission in the form that is written: its rows numbered from 0.

    Raises:
        SubmissionError: names the first row at fault.
    """
    if list(frame.columns) != list(_COLUMNS):
        columns = ", ".join(map(str, frame.columns))
        raise SubmissionError(
            f"a submission has the columns {', '.join(_COLUMNS)}; this one has {columns}. Name and order them so."
        )
    prompts = read(data_dir)
    if len(frame) != len(prompts):
        raise SubmissionError(
            f"the submission has {len(frame)} rows, {REQUIRED[0]} has {len(prompts)}. Give each prompt one row."
        )
    rows = zip(frame["prompt"], frame["generation"], map(_with_apostrophes, prompts), strict=True)
    for row, (prompt, text, expected) in enumerate(rows, start=1):
        if prompt != expected:
            raise SubmissionError(
                f"""row {row}: the prompt must be that of {REQUIRED[0]}, with every " turned into ', not {prompt!r}."""
            )
        if not isinstance(text, str) or not _with_apostrophes(text).startswith(prompt):
            raise SubmissionError(f"row {row}: the generation must be a text that begins with its prompt.")
    return frame.reset_index(drop=True)


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or has an empty cell.
    """
    return read_submission(path, dict.fromkeys(_COLUMNS, "text"))


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the grades of a checked submission, as `metric.grade` gives them.

    Args:
        frame: the submission.
        answers_dir: holds the folder `detector`, and `answers.csv` with the columns `prompt` and `generation` (the
            references).

    Raises:
        SubmissionError: the prompts are not those of the answers.
    """
    from neoai_utils.steering.detector import read_detector
    from neoai_utils.steering.encoder import load_encoder, similarity

    answers = read_csv(answers_dir / "answers.csv", dict.fromkeys(_COLUMNS, "text"))
    if answers["prompt"].map(_with_apostrophes).tolist() != frame["prompt"].tolist():
        raise SubmissionError("the prompts of the submission are not those of the answers, in their order.")
    detector, window = read_detector(answers_dir / "detector")
    texts, references = frame["generation"].tolist(), answers["generation"].tolist()
    return metric.grade(detector.score(texts), similarity(load_encoder(), references, texts), window)


def _with_apostrophes(text: str) -> str:
    return text.replace('"', "'")
