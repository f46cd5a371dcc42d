"""The competition's files: labelled English, Russian to label, sentence pairs, and the submission.

Layout: `train.conll` (English), `validation.conll` and `test.conll` (Russian), all in the form that `conll` reads;
`ru_en_pairs.jsonl`, a Russian sentence and its English translation in each line (see `pairs`); `unlabeled_texts.txt`, a
text in each line; these two may be missing. A submission has the columns `id` (1 to n), `intent`, and `slots`, one tag
a word, joined by spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import errors
from neoai_utils.crosslingual import conll, metric
from neoai_utils.crosslingual.pairs import Pair, read_pairs
from neoai_utils.crosslingual.utterances import Labels, Utterance, labels_of
from neoai_utils.crosslingual.word_splitting import WordSplitter
from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.reading import read_text
from neoai_utils.scores import Grades
from neoai_utils.submissions import check_rows, read_submission
from neoai_utils.tables import Kind, require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "PAIRS", "REQUIRED", "TEXTS", "Intents", "check_submission", "grade", "parse_submission", "read", "submission",
]  # fmt: skip

REQUIRED: tuple[str, ...] = ("train.conll", "validation.conll", "test.conll")
PAIRS, TEXTS = "ru_en_pairs.jsonl", "unlabeled_texts.txt"
_SUBMISSION: dict[str, Kind] = {"id": "integer", "intent": "text", "slots": "text"}


@dataclass(frozen=True)
class Intents:
    """The competition's data.

    Attributes:
        train: labelled English utterances.
        validation: labelled Russian utterances, for measuring, never for training.
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
        return labels_of(self.train)


def read(data_dir: Path) -> Intents:
    """Read the competition's data; oddities are reported by warnings.

    Raises:
        DataError: a labelled file or the test is missing (what is there is named), empty, or a line is not clear (it is
            named); or a file is no text.
    """
    require_paths(data_dir, REQUIRED)
    train, validation, test = (data_dir / name for name in REQUIRED)
    given = Intents(
        conll.read(train, labelled=True), conll.read(validation, labelled=True), conll.read(test, labelled=False),
        pairs=(), texts=(),
    )  # fmt: skip
    if not given.labels.intents:
        raise DataError(f"{train} holds no intents. Its lines should be: word number, word, intent, slot tag.")
    _warn_of_new_labels(given.validation, given.labels, validation)
    return _with_raw_sentences(given, _texts(data_dir / TEXTS), read_pairs(data_dir / PAIRS))


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
    utterances = conll.read(data_dir / REQUIRED[2], labelled=False)
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


def parse_submission(path: Path) -> pd.DataFrame:
    """Read a submission file back.

    Raises:
        DataError: the file is missing, no CSV table, or lacks a column.
    """
    return read_submission(path, _SUBMISSION, id_column="id")


def grade(frame: pd.DataFrame, answers_dir: Path) -> Grades:
    """Return the grades of a checked submission; `answers_dir` holds the labelled `test.conll`."""
    truth = conll.read(answers_dir / REQUIRED[2], labelled=True)
    check_rows(frame, _SUBMISSION, range(1, len(truth) + 1))
    rows = frame.sort_values("id")
    labels = zip(truth, rows["intent"], rows["slots"], strict=True)
    predictions = [Utterance(true.words, intent, tuple(slots.split())) for true, intent, slots in labels]
    return metric.grade(predictions, truth)


def _warn_of_new_labels(utterances: Sequence[Utterance], labels: Labels, path: Path) -> None:
    """Warn of labels that the training file does not have, so that no model can learn them."""
    intents = [u.intent for u in utterances if u.intent is not None and u.intent not in labels.intents]
    tags = [tag for u in utterances for tag in u.slots or () if tag not in labels.tags]
    for kind, new in (("intent", intents), ("slot tag", tags)):
        if new:
            names = ", ".join(sorted(set(new))[:5])
            errors.warn(
                f"{path}: {REQUIRED[0]} does not have the {kind} {names} ({len(new)} cases); answers to these "
                "count as wrong."
            )


def _texts(path: Path) -> tuple[str, ...]:
    """Return the lines of a file that are not empty; a missing or empty file is reported by a warning."""
    texts = tuple(line.strip() for line in read_text(path).split("\n") if line.strip()) if path.exists() else ()
    if not texts:
        errors.warn(f"{path} {'holds no text' if path.exists() else 'does not exist'}; going on without texts.")
    return texts


def _with_raw_sentences(given: Intents, texts: Sequence[str], pairs: Sequence[Pair]) -> Intents:
    """Add the raw sentences, split into words as in the labelled files."""
    english = WordSplitter(word for utterance in given.train for word in utterance.words)
    russian = WordSplitter(word for u in (*given.validation, *given.test) for word in u.words)
    return replace(
        given,
        pairs=tuple((russian(first), english(second)) for first, second in pairs),
        texts=tuple(russian(text) for text in texts),
    )
