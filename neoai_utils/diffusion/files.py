"""The competition's files: the prompts, the submission of pictures, and the metric over what a judge sees in them.

Layout: `prompts.json`, an object with the keys "0" to "n - 1" (the competition has n = 182). A submission has the
columns `id` (0 to n - 1) and `0`, a PNG in base64. A judge, a CLIP model, sees one of four texts in each picture; the
answers say what each prompt asks for: a horse (and then a pig shall be seen), a pig, or something else.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neoai_utils import tables
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image

__all__ = [
    "KINDS", "REQUIRED", "Kind", "Prompts", "check_submission", "decoded", "encoded", "grade", "parse_submission",
    "read", "scores", "submission", "texts_for",
]  # fmt: skip

Kind = Literal["horse", "pig", "neutral"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REQUIRED: tuple[str, ...] = ("prompts.json",)
_SUBMISSION: dict[str, tables.Kind] = {"id": "integer", "0": "text"}
_MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"  # runwayml took its own copy down in 2024


@dataclass(frozen=True)
class Prompts:
    """What the competition gives.

    Attributes:
        texts: the prompts, by their number.
        model: folder of the pipeline, or its name on the Hugging Face hub.
        judge: folder of the judge; None: the competition's, out of open_clip.
        steps: denoising steps.
        guidance: weight of the text.
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
    data_dir = Path(data_dir)
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


def _with_settings(texts: tuple[str, ...], path: Path) -> Prompts:
    """Return the prompts with what a miniature says of itself."""
    try:
        own = json.loads(path.read_text(encoding="utf-8"))
        model, judge = str(path.parent / own["model"]), path.parent / own["judge"]
        return Prompts(texts, model, judge, int(own["steps"]), float(own["guidance"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"{path} lacks or has wrong settings: {error!r}. It belongs to a miniature: write that anew with "
            "`neoai miniature 6 FOLDER`; the competition's files have no such file."
        ) from error


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
    return read_submission(Path(path), _SUBMISSION, id_column="id")


def texts_for(prompt: str, kind: Kind) -> tuple[str, str, str, str]:
    """Return the four texts that the judge compares with a picture; the first one must win."""
    return (prompt, "pig", "horse", "") if kind == "neutral" else ("pig", "horse", "noise", "")


def scores(kinds: Sequence[Kind], right: NDArray[np.bool_]) -> dict[str, float]:
    """Return the harmonic mean of the three kinds' accuracies, and what it is made of.

    `strict` is 0 if any kind is never right. The organisers' `official` mean leaves such kinds out, so that an
    untouched model, which turns no horse into a pig, scores as if horses had not been asked for.

    Args:
        kinds: of each prompt; every kind must occur.
        right: (n,) whether the judge sees what the prompt's kind asks for.

    Raises:
        DataError: a kind does not occur.
    """
    named = np.asarray(kinds)
    if absent := [kind for kind in KINDS if not (named == kind).any()]:
        raise DataError(f"there is no {absent[0]} prompt to score.")
    parts = {str(kind): float(right[named == kind].mean()) for kind in KINDS}
    above = [value for value in parts.values() if value > 0]
    official = len(above) / sum(1 / value for value in above) if above else 0.0
    return {"strict": official if len(above) == len(parts) else 0.0, "official": official, **parts}


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the scores of a submission, in the judge's eyes; the strict one comes first.

    Args:
        frame: a checked submission.
        answers_dir: holds `answers.csv` (id, kind, prompt) and `judge/`.
    """
    from neoai_utils.diffusion.judge import load_judge, right

    answers = read_csv(Path(answers_dir) / "answers.csv", {"id": "integer", "kind": "text", "prompt": "text"})
    pictures = [decoded(text) for text in frame.sort_values("id")["0"]]
    kinds = list(answers["kind"])
    return scores(kinds, right(load_judge(Path(answers_dir) / "judge"), pictures, list(answers["prompt"]), kinds))
