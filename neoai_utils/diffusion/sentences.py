"""A bank of sentences that ask for a horse, for a pig or for neither, sorted into kinds.

They are written from knowledge of the language: names by age, breed, colour and use, descriptions by look, sound and
history, riders, other languages, stories. For each kind of horse there are sentences that only seem to belong to it:
other equids, things with "horse" in their name, other animals without their name. No prompt of the competition was
copied, but a few public ones and words quoted in write-ups were known when the bank was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils.diffusion.metric import KINDS
from neoai_utils.errors import ParameterError
from neoai_utils.tables import read_csv

if TYPE_CHECKING:
    import pandas as pd
    from transformers import CLIPTokenizer

__all__ = ["COLUMNS", "overview", "read", "readable", "without"]

COLUMNS = ("asks_for", "kind", "sentence")
_FILE = Path(__file__).parent / "data" / "sentences.csv"
_GENERAL = 10_000  # tokens of a vocabulary that was learnt from general text; CLIP's has 49,408


def read(more: Sequence[tuple[str, str, str]] = ()) -> pd.DataFrame:
    """Return the bank and further sentences, with the columns `COLUMNS`; all are texts.

    Args:
        more: (asks for, kind, sentence) of each further one; a new kind needs no declaration.

    Raises:
        ParameterError: a further sentence asks for something other than horse, pig and neutral, or is empty.
    """
    import pandas as pd

    for asks_for, kind, sentence in more:
        if asks_for not in KINDS or not kind or not sentence:
            raise ParameterError(
                f"({asks_for!r}, {kind!r}, {sentence!r}): write (one of {', '.join(KINDS)}; a kind; a sentence)."
            )
    bank = read_csv(_FILE, dict.fromkeys(COLUMNS, "text"), exact=True)
    return pd.concat([bank, pd.DataFrame(list(more), columns=list(COLUMNS))]).drop_duplicates(
        "sentence", ignore_index=True
    )


def overview(bank: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each kind: what it asks for, how many sentences it has, and its first three."""
    groups = bank.groupby(["asks_for", "kind"], sort=False)["sentence"]
    table = groups.agg(sentences="size", examples=lambda texts: " · ".join(texts.head(3)))
    return table.reset_index()


def without(bank: pd.DataFrame, words: Iterable[str]) -> pd.DataFrame:
    """Return the sentences that contain none of the words, singular or plural, whatever their case."""
    pattern = r"\b(?:" + "|".join(re.escape(word) for word in words) + r")s?\b"
    return bank[~bank["sentence"].str.contains(pattern, case=False)].reset_index(drop=True)


def readable(texts: Sequence[str], tokenizer: CLIPTokenizer) -> list[str]:
    """Return the texts whose words the text encoder can know.

    A vocabulary of 10,000 tokens or more is one of general text, and all texts are returned. A smaller one was learnt
    from few words: the rest of the language is spelt in fragments that mean nothing to the encoder. Then those texts
    are returned whose words are one token each.
    """
    vocabulary = tokenizer.get_vocab()
    if len(vocabulary) >= _GENERAL:
        return list(texts)
    return [text for text in texts if all(f"{word.lower()}</w>" in vocabulary for word in text.split())]
