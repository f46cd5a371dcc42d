"""The competition's files: labelled English, Russian to answer, sentence pairs, the submission and its metric.

Layout: `train.conll` (English), `validation.conll` and `test.conll` (Russian), all in the form that `conll` reads;
`ru_en_pairs.jsonl`, a Russian sentence and its English translation in each line; `unlabeled_texts.txt`, a text in each
line. A submission has the columns `id` (1 to n), `intent`, and `slots`, one tag a word, joined by spaces.

The names of the fields in the pairs' file are not public, so the two texts are told apart by their script.
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils.crosslingual import conll
from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tables import check_rows, read_csv, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "REQUIRED", "Intents", "check_submission", "grade", "metrics", "parse_submission", "read", "read_pairs",
    "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = (
    "train.conll", "validation.conll", "test.conll", "ru_en_pairs.jsonl", "unlabeled_texts.txt",
)  # fmt: skip
_COLUMNS = ("id", "intent", "slots")
_CYRILLIC, _LATIN = re.compile(r"[Ѐ-ӿ]"), re.compile(r"[A-Za-z]")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Intents:
    """What the competition gives.

    Attributes:
        train: labelled English utterances.
        validation: labelled Russian utterances, to measure on and never to train on.
        test: Russian utterances; intents and slots are hidden.
        pairs: (Russian, English) sentences that mean the same.
        texts: unlabelled texts.
    """

    train: tuple[Utterance, ...]
    validation: tuple[Utterance, ...]
    test: tuple[Utterance, ...]
    pairs: tuple[Pair, ...]
    texts: tuple[str, ...]

    @property
    def labels(self) -> Labels:
        """Return the labels of the training utterances."""
        return conll.labels_of(self.train)


def read(data_dir: Path) -> Intents:
    """Read and check everything the competition gives.

    Raises:
        DataError: a file is missing (what is there is named), empty or malformed, with the line's number.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    train, validation, test, pairs, texts = (data_dir / name for name in REQUIRED)
    return Intents(
        train=conll.read(train, labelled=True),
        validation=conll.read(validation, labelled=True),
        test=tuple(Utterance(utterance.words) for utterance in conll.read(test, labelled=False)),
        pairs=read_pairs(pairs),
        texts=_texts(texts),
    )


def read_pairs(path: Path) -> tuple[Pair, ...]:
    """Return the (Russian, English) pairs of a file of JSON lines.

    A line may be an object, an object within an object (`{"translation": {…}}`) or a list; of its texts, the most
    Cyrillic one and the longest of the more Latin ones are taken.

    Raises:
        DataError: the file is missing, no UTF-8 text or empty; or, with the line's number, a line is no JSON or does
            not hold a text of each script (what it holds is named).
    """
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: no JSON: {error}. Copy the file again.") from error
        texts = _strings(content)
        russian = max(texts, key=_cyrillic, default="")
        latin = [text for text in texts if _LATIN.search(text) and _cyrillic(text) < _cyrillic(russian)]
        english = max(latin, key=len, default="")  # an identifier in Latin letters is shorter than a sentence
        if not english:
            fields = ", ".join(content) if isinstance(content, dict) else type(content).__name__
            raise DataError(
                f"{path}, line {number}: expected a Russian and an English text, found the fields {fields or 'none'}. "
                "Copy the file again."
            )
        pairs.append((russian, english))
    if not pairs:
        raise DataError(f"{path} holds no pair. Copy the file again.")
    return tuple(pairs)


def submission(intents: Sequence[str], slots: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the submission of one intent and one sequence of tags for each test utterance, in the file's order."""
    import pandas as pd

    tags = [" ".join(sequence) for sequence in slots]
    return pd.DataFrame({"id": range(1, len(tags) + 1), "intent": list(intents), "slots": tags})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> None:
    """Check the columns, that every utterance has a row, and that every word has a tag.

    Raises:
        SubmissionError: naming the first column or utterance at fault.
    """
    utterances = conll.read(Path(data_dir) / REQUIRED[2], labelled=False)
    check_rows(frame, _COLUMNS, range(1, len(utterances) + 1))
    for number, intent, slots in zip(*(frame[name] for name in _COLUMNS), strict=True):
        words = utterances[number - 1].words
        if not isinstance(intent, str) or not intent.strip():
            raise SubmissionError(f"id {number}: the intent must be a word, not {intent!r}.")
        if not isinstance(slots, str) or len(slots.split()) != len(words):
            count = len(slots.split()) if isinstance(slots, str) else 0
            raise SubmissionError(
                f"id {number}: {count} slot tags for {len(words)} words: {' '.join(words)!r}. "
                "Write one tag for each word, separated by spaces."
            )


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the metrics of a checked submission; `answers_dir` holds the labelled `test.conll`."""
    truth = conll.read(Path(answers_dir) / REQUIRED[2], labelled=True)
    check_rows(frame, _COLUMNS, range(1, len(truth) + 1))
    rows = frame.sort_values("id")
    return metrics(truth, rows["intent"].tolist(), [slots.split() for slots in rows["slots"]])


def metrics(truth: Sequence[Utterance], intents: Sequence[str], slots: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the competition's metric first: the mean of two weighted F1 scores, of intents and of words' tags.

    Beside it stand both parts, and `spans`, the micro-averaged F1 of whole slots as CoNLL-2000 counts them. Where
    seqeval, which counts those, is not installed, `spans` is left out.
    """
    from sklearn.metrics import f1_score

    true_slots = [list(utterance.slots or ()) for utterance in truth]
    given_slots = [list(sequence) for sequence in slots]
    flat_true, flat_given = ([tag for sequence in part for tag in sequence] for part in (true_slots, given_slots))
    intent = f1_score([utterance.intent for utterance in truth], list(intents), average="weighted", zero_division=0)
    slot = f1_score(flat_true, flat_given, average="weighted", zero_division=0)
    found = {"mean": float(intent + slot) / 2, "intent": float(intent), "slot": float(slot)}
    if importlib.util.find_spec("seqeval") is not None:
        from seqeval.metrics import f1_score as span_f1

        found["spans"] = float(span_f1(true_slots, given_slots, zero_division=0))
    return found


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_csv(Path(path), {"id": "integer", "intent": "text", "slots": "text"}, id_column="id")


def _texts(path: Path) -> tuple[str, ...]:
    texts = tuple(line.strip() for line in _lines(path) if line.strip())
    if not texts:
        raise DataError(f"{path} holds no text. Copy the file again.")
    return texts


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}. Copy the file again.") from error


def _strings(content: Any) -> list[str]:
    """Return all texts in a JSON value, in order."""
    if isinstance(content, str):
        return [content]
    parts = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [text for part in parts for text in _strings(part)]


def _cyrillic(text: str) -> float:
    """Return the share of a text's letters that are Cyrillic: a Russian sentence may hold a Latin name."""
    cyrillic, latin = len(_CYRILLIC.findall(text)), len(_LATIN.findall(text))
    return cyrillic / max(1, cyrillic + latin)
