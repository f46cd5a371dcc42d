"""The competition's files: labelled English, Russian to answer, sentence pairs, the submission and its metric.

Layout: `train.conll` (English), `validation.conll` and `test.conll` (Russian), all in the form that `conll` reads;
`ru_en_pairs.jsonl`, a Russian sentence and its English translation in each line (see `pairs`); `unlabeled_texts.txt`, a
text in each line; these two may be missing. A submission has the columns `id` (1 to n), `intent`, and `slots`, one tag
a word, joined by spaces.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import errors
from neoai_utils.crosslingual import conll
from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.crosslingual.cutting import Cutter
from neoai_utils.crosslingual.pairs import Pair, read_pairs
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PAIRS", "REQUIRED", "TEXTS", "Intents", "check_submission", "grade", "metrics", "parse_submission", "read",
    "read_pairs", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("train.conll", "validation.conll", "test.conll")
PAIRS, TEXTS = "ru_en_pairs.jsonl", "unlabeled_texts.txt"
_SUBMISSION: dict[str, Kind] = {"id": "integer", "intent": "text", "slots": "text"}


@dataclass(frozen=True)
class Intents:
    """What the competition gives.

    Attributes:
        train: labelled English utterances.
        validation: labelled Russian utterances, to measure on and never to train on.
        test: Russian utterances; intents and slots are hidden.
        pairs: (Russian, English) sentences that mean the same, with blanks between words.
        texts: unlabelled texts, with blanks between words.
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
    """Read everything the competition gives; what is unusual is told by warnings.

    Raises:
        DataError: a labelled file or the test is missing (what is there is named), empty or not to be understood, with
            the line's number; or a file is no text.
    """
    data_dir = Path(data_dir)
    require_paths(data_dir, REQUIRED)
    train, validation, test = (data_dir / name for name in REQUIRED)
    given = Intents(
        conll.read(train, labelled=True),
        conll.read(validation, labelled=True),
        conll.read(test, labelled=False),
        (),
        (),
    )
    if not given.labels.intents:
        raise DataError(f"{train} holds no intents. Its lines should be: word number, word, intent, slot tag.")
    _told(given.validation, given.labels, validation)
    return _cut(_texts(data_dir / TEXTS), read_pairs(data_dir / PAIRS), given)


def submission(intents: Sequence[str], slots: Sequence[Sequence[str]]) -> pd.DataFrame:
    """Return the submission of one intent and one sequence of tags for each test utterance, in the file's order."""
    import pandas as pd

    tags = [" ".join(sequence) for sequence in slots]
    return pd.DataFrame({"id": range(1, len(tags) + 1), "intent": list(intents), "slots": tags})


def check_submission(frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
    """Check the columns, that every utterance has a row, and that every word has a tag.

    Returns:
        The submission in the form that is written, as `submissions.check_rows` says.

    Raises:
        SubmissionError: naming the first column or utterance at fault.
    """
    utterances = conll.read(Path(data_dir) / REQUIRED[2], labelled=False)
    frame = check_rows(frame, _SUBMISSION, range(1, len(utterances) + 1))
    for number, intent, slots in zip(*(frame[name] for name in _SUBMISSION), strict=True):
        words = utterances[number - 1].words
        if not intent.strip():
            raise SubmissionError(f"id {number}: the intent must be a word, not {intent!r}.")
        if len(slots.split()) != len(words):
            raise SubmissionError(
                f"id {number}: {len(slots.split())} slot tags for {len(words)} words: {' '.join(words)!r}. "
                "Write one tag for each word, separated by spaces."
            )
    return frame


def grade(frame: pd.DataFrame, answers_dir: Path) -> dict[str, float]:
    """Return the metrics of a checked submission; `answers_dir` holds the labelled `test.conll`."""
    truth = conll.read(Path(answers_dir) / REQUIRED[2], labelled=True)
    check_rows(frame, _SUBMISSION, range(1, len(truth) + 1))
    rows = frame.sort_values("id")
    return metrics(truth, rows["intent"].tolist(), [slots.split() for slots in rows["slots"]])


def metrics(truth: Sequence[Utterance], intents: Sequence[str], slots: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return the competition's metric first: the mean of two weighted F1 scores, of intents and of words' tags.

    Beside it stand both parts, and `spans`, the micro-averaged F1 of whole slots as CoNLL-2000 counts them. Utterances
    whose true intent is missing count in the slots alone. Where seqeval, which counts spans, is not installed, `spans`
    is left out.
    """
    from sklearn.metrics import f1_score

    true_slots = [list(utterance.slots or ()) for utterance in truth]
    given_slots = [list(sequence) for sequence in slots]
    flat_true, flat_given = ([tag for sequence in part for tag in sequence] for part in (true_slots, given_slots))
    asked = [(u.intent, name) for u, name in zip(truth, intents, strict=True) if u.intent is not None]
    slot = f1_score(flat_true, flat_given, average="weighted", zero_division=0)
    intent = f1_score(*zip(*asked, strict=True), average="weighted", zero_division=0) if asked else slot
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
    return read_submission(Path(path), _SUBMISSION, id_column="id")


def _told(utterances: Sequence[Utterance], labels: Labels, path: Path) -> None:
    """Warn of labels that the training file does not have: nobody can learn them."""
    intents = [u.intent for u in utterances if u.intent is not None and u.intent not in labels.intents]
    tags = [tag for u in utterances for tag in u.slots or () if tag not in labels.tags]
    for kind, strange in (("intent", intents), ("slot tag", tags)):
        if strange:
            names = ", ".join(sorted(set(strange))[:5])
            errors.warn(
                f"{path}: {REQUIRED[0]} does not have the {kind} {names} ({len(strange)} cases); answers to these "
                "count as wrong."
            )


def _texts(path: Path) -> tuple[str, ...]:
    """Return the lines of a file that are not empty; one that is missing or empty is told by a warning."""
    texts = tuple(line.strip() for line in read_text(path).split("\n") if line.strip()) if path.exists() else ()
    if not texts:
        errors.warn(f"{path} {'holds no text' if path.exists() else 'does not exist'}; going on without texts.")
    return texts


def _cut(texts: Sequence[str], pairs: Sequence[Pair], given: Intents) -> Intents:
    """Return what is given, with the raw sentences cut into words as the labelled files cut theirs."""
    english = Cutter(word for utterance in given.train for word in utterance.words)
    russian = Cutter(word for part in (given.validation, given.test) for utterance in part for word in utterance.words)
    return replace(
        given,
        pairs=tuple((russian(mine), english(theirs)) for mine, theirs in pairs),
        texts=tuple(russian(text) for text in texts),
    )
