"""The competition's files: prompts, the submission with its texts, pairs of human and machine answers, the metric.

Layout: `test.csv` with the column `prompt` (500 rows in the competition). A submission has the columns `prompt`, in
which every `"` has become `'`, and `generation`, the prompt with its continuation. A text counts if the detector's
score lies inside a window and the text still says what the reference says:
`score = mean(low < detector < high and cosine > 0.65)`.

Pairs are in the form of HC3 (Guo et al. 2023, arXiv:2301.07597): `hc3.csv` with the columns question, human_answers,
chatgpt_answers and source, where answers are lists written as text. The competition names that file but does not hand
it out. The miniature hands out its detector as well, as the competition's is public: `detector/probe.safetensors` and
`detector/window.json`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils import discovery, errors, runtime
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text
from neoai_utils.submissions import read_submission
from neoai_utils.tables import LOST_CHARACTERS, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

    from neoai_utils.steering.detector import Detector

__all__ = [
    "REQUIRED", "SIMILAR", "Pair", "Window", "check_submission", "find_pairs", "grade", "parse_submission", "rates",
    "read", "read_detector", "read_pairs", "read_window", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("test.csv",)
SIMILAR = 0.65
_COLUMNS = ("prompt", "generation")
_PAIRS = "hc3.csv"
_PAIR_COLUMNS = ("question", "human_answers", "chatgpt_answers")
_LIST = re.compile(r"\[\s*[\"']")
_TEXT = r"""'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""""
_LIST_OF_TEXTS = re.compile(rf"\[\s*({_TEXT})(?:[\s,]*(?:{_TEXT}))*[\s,]*\]", re.S)


@dataclass(frozen=True)
class Window:
    """The detector's scores that count as human: low < score < high (-2 and 2 in the competition)."""

    low: float
    high: float

    def holds(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Return for each score whether it lies inside."""
        inside: NDArray[np.bool_] = (self.low < scores) & (scores < self.high)
        return inside


@dataclass(frozen=True)
class Pair:
    """A question (or the beginning of a text) with a human's answer and a machine's."""

    question: str
    human: str
    machine: str

    @property
    def human_text(self) -> str:
        """The question with the human's answer."""
        return _joined(self.question, self.human)

    @property
    def machine_text(self) -> str:
        """The question with the machine's answer."""
        return _joined(self.question, self.machine)


def read(data_dir: Path) -> list[str]:
    """Return the prompts of `test.csv` in order.

    Raises:
        DataError: the file is missing, no CSV table, has no column `prompt`, no rows, or an empty prompt.
    """
    require_paths(Path(data_dir), REQUIRED)
    path = Path(data_dir) / REQUIRED[0]
    prompts: list[str] = read_csv(path, {"prompt": "text"})["prompt"].tolist()
    for row, prompt in enumerate(prompts, start=1):
        if not prompt.strip():
            raise DataError(f"{path}: the prompt in data row {row} is empty. Copy the file again.")
    return prompts


def read_pairs(path: Path) -> list[Pair]:
    """Return question, first human answer and first machine answer of each row of `hc3.csv` that has both.

    The file may also be in HC3's original form, a JSON object in each line. A row whose list of answers is damaged is
    left out, with one warning for all.

    Raises:
        DataError: the file is missing, no table, lacks a column, or no row has both answers.
    """
    path = Path(path)
    pairs, damaged = [], []
    for row, (question, *lists) in enumerate(_questions(path), start=1):
        try:
            answers = [LOST_CHARACTERS.sub("\ufffd", _first(answer)) for answer in lists]
        except ValueError:
            damaged.append(row)
            continue
        if question.strip() and all(answer.strip() for answer in answers):
            pairs.append(Pair(question, *answers))
    if damaged:
        errors.warn(
            f"{path}, data row {damaged[0]}: a list of answers is damaged; such rows ({len(damaged)}) are left out."
        )
    if not pairs:
        raise DataError(f"{path}: no row has a question, a human answer and a machine answer. Give another file.")
    return pairs


def _questions(path: Path) -> Iterator[tuple[str, Any, Any]]:
    """Yield question, human answers and machine answers as a table or JSON lines hold them; "" where there are none."""
    text = read_text(path)
    if text.lstrip().startswith(("{", "[{")):
        for content in _objects(path, text):
            question, human, machine = (content.get(name) or "" for name in _PAIR_COLUMNS)
            yield str(question), human, machine
        return
    frame = read_csv(path, dict.fromkeys(_PAIR_COLUMNS, "text"), allow_missing=_PAIR_COLUMNS)
    yield from zip(*(frame[name].fillna("") for name in _PAIR_COLUMNS), strict=True)


def _objects(path: Path, text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list or of JSON lines."""
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else list(map(json.loads, _filled_lines(text)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON lines: {error}. Copy it again.") from error
    objects = [content for content in found if isinstance(content, dict)]
    if not any(all(name in content for name in _PAIR_COLUMNS) for content in objects):
        raise DataError(f"{path}: no line has the fields {', '.join(_PAIR_COLUMNS)}. Give a file in the form of HC3.")
    return objects


def _filled_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def find_pairs(given: str | Path, data_dir: Path) -> Path:
    """Return the file of pairs: the given one, else `hc3.csv` in the data folder or anywhere below Kaggle's mounts.

    Args:
        given: a file, or a folder that holds `hc3.csv`; empty: look for it.
        data_dir: the competition's folder, which may be read-only.

    Raises:
        DataError: there is no such file; says where it was looked for and what to do.
    """
    if str(given):
        path = Path(given).expanduser()
        path = path / _PAIRS if path.is_dir() else path
        if not path.is_file():
            raise DataError(f"{path} does not exist. Name the file of HC3's pairs in the parameter pairs_file.")
        return path
    path = Path(data_dir) / _PAIRS
    places = [path, *(place / _PAIRS for place in discovery.data_roots())]
    found = [place for place in places if place.is_file()] or discovery.mounted_files(_PAIRS)
    if not found:
        raise DataError(
            f"{path} does not exist, and no other {_PAIRS} was found below {runtime.kaggle_folder('input')}. The "
            "competition does not hand out HC3, the pairs of human and machine answers: get it (Hello-SimpleAI/HC3 on "
            f"the Hugging Face hub), write it as {_PAIRS} with the columns {', '.join(_PAIR_COLUMNS)}, and attach it "
            "on Kaggle as a dataset, or name the file in the parameter pairs_file."
        )
    return found[0]


def _joined(question: str, answer: str) -> str:
    """Put a space between the two where an answer starts with a word; continuations bring their own."""
    return question + (" " if answer[:1].isalnum() else "") + answer


def _first(answers: Any) -> str:
    """Return the first of several answers: a list, or one written as JSON, Python or NumPy write it, or a single text.

    Raises:
        ValueError: a list is damaged.
    """
    if not isinstance(answers, str):
        return str(answers[0]) if isinstance(answers, list | tuple) and answers else ""
    text = answers.strip()
    if text == "[]":
        return ""
    if not _LIST.match(text):
        return answers  # `[deleted]` is a text, too
    found = _LIST_OF_TEXTS.fullmatch(text)
    if found is None:
        raise ValueError(text[:40])
    try:
        return str(json.loads(found[1]))
    except ValueError:
        return str(ast.literal_eval(found[1]))


def read_window(path: Path) -> Window:
    """Read `window.json`.

    Raises:
        DataError: the file is missing or damaged, or low is not below high.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        window = Window(float(content["low"]), float(content["high"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path} is missing or has no numbers low and high: {error!r}. Copy it again.") from error
    if not window.low < window.high:
        raise DataError(f"{path}: low ({window.low}) must be below high ({window.high}). Copy it again.")
    return window


def read_detector(folder: Path) -> tuple[Detector, Window]:
    """Read the miniature's detector and its window from a folder `detector`.

    Raises:
        DataError: a file is missing or damaged.
    """
    from neoai_utils.steering.detector import LAYERS, Probe, load_encoder

    folder = Path(folder) / "detector"
    window = read_window(folder / "window.json")
    return Probe.load(load_encoder(max(LAYERS)), folder / "probe.safetensors"), window


def submission(prompts: Sequence[str], texts: Sequence[str]) -> pd.DataFrame:
    """Return the submission of n prompts and their texts (prompt with continuation), in the order of `test.csv`.

    Characters that no CSV file keeps (NUL, half of a surrogate pair), which a model can write byte by byte, become
    U+FFFD, with a warning.
    """
    import pandas as pd

    kept = [LOST_CHARACTERS.sub("\ufffd", text) for text in texts]
    changed = [row for row, (text, new) in enumerate(zip(texts, kept, strict=True), start=1) if text != new]
    if changed:
        errors.warn(f"{len(changed)} generated texts hold characters that no CSV file keeps, first row {changed[0]}; "
                    "they are replaced.")  # fmt: skip
    rows = {"prompt": [prompt.replace('"', "'") for prompt in prompts], "generation": kept}
    return pd.DataFrame(rows, dtype=str)


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check that the rows are the test prompts in their order, each with a text that begins with its prompt.

    Returns:
        The submission in the form that is written: its rows numbered from 0.

    Raises:
        SubmissionError: naming the first row at fault.
    """
    if list(frame.columns) != list(_COLUMNS):
        found = ", ".join(map(str, frame.columns))
        raise SubmissionError(
            f"a submission has the columns {', '.join(_COLUMNS)}; this one has {found}. Name and order them so."
        )
    prompts = read(data_dir)
    if len(frame) != len(prompts):
        raise SubmissionError(
            f"the submission has {len(frame)} rows, {REQUIRED[0]} has {len(prompts)}. Give each prompt one row."
        )
    given = zip(frame["prompt"], frame["generation"], prompts, strict=True)
    for row, (prompt, text, wanted) in enumerate(given, start=1):
        if prompt != wanted.replace('"', "'"):
            raise SubmissionError(
                f"""row {row}: the prompt must be that of {REQUIRED[0]}, with every " turned into ', not {prompt!r}."""
            )
        if not isinstance(text, str) or not text.replace('"', "'").startswith(prompt):
            raise SubmissionError(f"row {row}: the generation must be a text that begins with its prompt.")
    return frame.reset_index(drop=True)


def rates(scores: NDArray[np.floating], cosines: NDArray[np.floating], window: Window) -> dict[str, float]:
    """Return the competition's metric as `score`, and its two conditions alone as `window` and `content`.

    Args:
        scores: (n) of the detector.
        cosines: (n) between the references and the texts.
        window: the human window.
    """
    inside, kept = window.holds(scores), cosines > SIMILAR
    return {"score": float((inside & kept).mean()), "window": float(inside.mean()), "content": float(kept.mean())}


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the metric of a checked submission and its two conditions.

    `answers_dir` holds the detector and `answers.csv` with the columns `prompt` and `generation` (the references).
    """
    from neoai_utils.steering.detector import load_encoder, similarity

    answers = read_csv(Path(answers_dir) / "answers.csv", dict.fromkeys(_COLUMNS, "text"))
    if answers["prompt"].str.replace('"', "'").tolist() != frame["prompt"].tolist():
        raise SubmissionError("the prompts of the submission are not those of the answers, in their order.")
    detector, window = read_detector(answers_dir)
    texts, references = frame["generation"].tolist(), answers["generation"].tolist()
    return rates(detector.score(texts), similarity(load_encoder(), references, texts), window)


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, lacks a column, or has an empty cell.
    """
    return read_submission(Path(path), dict.fromkeys(_COLUMNS, "text"))
