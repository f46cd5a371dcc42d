"""Pairs of human and machine answers to a question, in the form of HC3 (Guo et al. 2023, arXiv:2301.07597).

`hc3.csv` has the columns question, human_answers, chatgpt_answers and source; answers are lists written as text. The
competition names that file but does not hand it out.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neoai_utils import discovery, errors, runtime
from neoai_utils.errors import DataError
from neoai_utils.reading import read_text
from neoai_utils.tables import LOST_CHARACTERS, read_csv

__all__ = ["Pair", "find_pairs", "read_pairs"]

_FILE = "hc3.csv"
_COLUMNS = ("question", "human_answers", "chatgpt_answers")
_LIST = re.compile(r"\[\s*[\"']")
_TEXT = r"""'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""""
_LIST_OF_TEXTS = re.compile(rf"\[\s*({_TEXT})(?:[\s,]*(?:{_TEXT}))*[\s,]*\]", re.S)


@dataclass(frozen=True)
class Pair:
    """A question (or the beginning of a text) with a human's answer and a machine's.

    Attributes:
        question: the question, or the beginning of a text.
        human: a human's answer or continuation.
        machine: a model's answer or continuation.
    """

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


def find_pairs(given: str | Path, data_dir: Path) -> Path:
    """Return the file of pairs: the given one, else `hc3.csv` in the data folder or anywhere below Kaggle's mounts.

    Args:
        given: a file, or a folder that holds `hc3.csv`; empty: search for it.
        data_dir: the competition's folder, which may be read-only.

    Raises:
        DataError: there is no such file; names the folders that were searched and the remedy.
    """
    if str(given):
        path = Path(given).expanduser()
        path = path / _FILE if path.is_dir() else path
        if not path.is_file():
            raise DataError(f"{path} does not exist. Name the file of HC3's pairs in the parameter pairs_file.")
        return path
    path = data_dir / _FILE
    candidates = [path, *(folder / _FILE for folder in discovery.data_roots())]
    existing = [candidate for candidate in candidates if candidate.is_file()] or discovery.mounted_files(_FILE)
    if not existing:
        raise DataError(
            f"{path} does not exist, and no other {_FILE} was found below {runtime.kaggle_folder('input')}. The "
            "competition does not hand out HC3, the pairs of human and machine answers: get it (Hello-SimpleAI/HC3 on "
            f"the Hugging Face hub), write it as {_FILE} with the columns {', '.join(_COLUMNS)}, and attach it "
            "on Kaggle as a dataset, or name the file in the parameter pairs_file."
        )
    return existing[0]


def read_pairs(path: Path) -> list[Pair]:
    """Return question, first human answer and first machine answer of each row of `hc3.csv` that has both.

    The file may also be in HC3's original form, a JSON object in each line. A row whose list of answers is damaged is
    left out, with one warning for all.

    Raises:
        DataError: the file is missing, no table, lacks a column, or no row has both answers.
    """
    pairs, damaged = [], []
    for row, (question, *lists) in enumerate(_rows(path), start=1):
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


def _rows(path: Path) -> Iterator[tuple[str, Any, Any]]:
    """Yield question, human answers and machine answers of a table or of JSON lines; "" where there are none."""
    text = read_text(path)
    if text.lstrip().startswith(("{", "[{")):
        for content in _objects(path, text):
            question, human, machine = (content.get(name) or "" for name in _COLUMNS)
            yield str(question), human, machine
        return
    frame = read_csv(path, dict.fromkeys(_COLUMNS, "text"), allow_missing=_COLUMNS)
    yield from zip(*(frame[name].fillna("") for name in _COLUMNS), strict=True)


def _objects(path: Path, text: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON list or of JSON lines."""
    try:
        values = json.loads(text) if text.lstrip().startswith("[") else list(map(json.loads, _filled_lines(text)))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON lines: {error}. Copy it again.") from error
    objects = [content for content in values if isinstance(content, dict)]
    if not any(all(name in content for name in _COLUMNS) for content in objects):
        raise DataError(f"{path}: no line has the fields {', '.join(_COLUMNS)}. Give a file in the form of HC3.")
    return objects


def _filled_lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _joined(question: str, answer: str) -> str:
    """Put a space between the two where an answer starts with a word; continuations start with their own."""
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
    match = _LIST_OF_TEXTS.fullmatch(text)
    if match is None:
        raise ValueError(text[:40])
    try:
        return str(json.loads(match[1]))
    except ValueError:
        return str(ast.literal_eval(match[1]))
