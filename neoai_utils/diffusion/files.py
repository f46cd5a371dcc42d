"""The competition's files: the prompts, and the submission of pictures.

Layout: `prompts.json`, an object with the keys "0" to "n - 1" (the competition has n = 182). A submission has the
columns `id` (0 to n - 1) and `0`, a PNG in base64.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils.diffusion import metric
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text
from neoai_utils.scores import Grades
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

__all__ = [
    "REQUIRED", "Prompts", "check_submission", "decoded", "encoded", "grade", "parse_submission", "read", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("prompts.json",)
_SUBMISSION: dict[str, Kind] = {"id": "integer", "0": "text"}
_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # runwayml deleted its own copy in 2024


@dataclass(frozen=True)
class Prompts:
    """What the competition gives.

    Attributes:
        texts: the prompts, by their number.
        model: folder of the pipeline, or its name on the Hugging Face hub.
        judge: folder of the judge; None: the competition's, from open_clip.
        steps: denoising steps.
        guidance: weight of the text (classifier-free guidance).
    """

    texts: tuple[str, ...]
    model: str = _MODEL
    judge: Path | None = None
    steps: int = 30
    guidance: float = 7.5


def read(data_dir: Path) -> Prompts:
    """Read and check the prompts.

    Raises:
        DataError: the file is missing, no JSON object, empty, or its keys are not "0" to "n - 1", or a prompt is no
            text; or a miniature's settings are damaged.
    """
    require_paths(data_dir, REQUIRED)
    path = data_dir / REQUIRED[0]
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise DataError(f"{path} cannot be read as JSON: {error}. Copy the file again.") from error
    if not isinstance(content, dict) or not content:
        raise DataError(f'{path} must hold an object of prompts, {{"0": "…", "1": "…"}}. Copy it again.')
    wanted = [str(number) for number in range(len(content))]
    if absent := [key for key in wanted if key not in content]:
        raise DataError(f'{path} holds {len(content)} prompts, but none with the key "{absent[0]}". Copy it again.')
    for key in wanted:
        if not isinstance(content[key], str) or not content[key].strip():
            raise DataError(f'{path}: prompt "{key}" must be a text, not {content[key]!r}. Copy the file again.')
    texts = tuple(content[key] for key in wanted)
    settings = data_dir / "settings.json"
    return _with_settings(texts, settings) if settings.is_file() else Prompts(texts)


def submission(pictures: Sequence[Image]) -> pd.DataFrame:
    """Return the submission of one picture for each prompt, in their order."""
    import pandas as pd

    return pd.DataFrame({"id": range(len(pictures)), "0": [encoded(picture) for picture in pictures]})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, that every prompt has a row, and that every row holds a picture.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first column or row at fault.
    """
    frame = check_rows(frame, _SUBMISSION, range(len(read(data_dir).texts)))
    for number, text in zip(frame["id"], frame["0"], strict=True):
        try:
            decoded(str(text))
        except DataError as error:
            raise SubmissionError(f"id {number}: {error}") from error
    return frame


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_submission(path, _SUBMISSION, id_column="id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the grades of a checked submission, in the judge's eyes.

    Args:
        frame: the submission.
        answers_dir: holds `answers.csv` (id, kind, prompt) and `judge/`.
    """
    from neoai_utils.diffusion.judge import correct, load_judge

    answers = read_csv(answers_dir / "answers.csv", {"id": "integer", "kind": "text", "prompt": "text"})
    pictures = [decoded(text) for text in frame.sort_values("id")["0"]]
    kinds = list(answers["kind"])
    judge = load_judge(answers_dir / "judge")
    return metric.grade(kinds, correct(judge, pictures, list(answers["prompt"]), kinds))


def encoded(picture: Image) -> str:
    """Return a picture as a PNG in base64."""
    with io.BytesIO() as buffer:
        picture.save(buffer, "PNG")
        return base64.b64encode(buffer.getvalue()).decode("ascii")


def decoded(text: str) -> Image:
    """Return the picture of a PNG in base64.

    Raises:
        DataError: the text is no base64, or what it holds is no whole picture.
    """
    from PIL import Image

    from neoai_utils.pictures import BROKEN

    try:
        picture = Image.open(io.BytesIO(base64.b64decode(text, validate=True)))
        picture.load()
        return picture.convert("RGB")
    except BROKEN as error:
        raise DataError(f"no PNG in base64: {error}. Write pictures with files.encoded.") from error


def _with_settings(texts: tuple[str, ...], path: Path) -> Prompts:
    """Return the prompts with the settings of a miniature."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        model, judge = str(path.parent / settings["model"]), path.parent / settings["judge"]
        return Prompts(texts, model, judge, int(settings["steps"]), float(settings["guidance"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} lacks or has wrong settings: {error!r}. It belongs to a miniature: write that anew with "
            "`neoai miniature 6 FOLDER`; the competition's files have no such file."
        ) from error
