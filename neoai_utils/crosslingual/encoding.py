"""From words to an encoder's pieces, with the slot tags laid on the right ones, and back.

A multilingual tokenizer cuts a word into one or more pieces, and a special piece stands before the first. The published
code lays the tag of word i on piece i, whatever word that piece belongs to (`"position"`). The remedy is to lay it on
the word's first piece and to leave the others out of the loss (`"first piece"`), as Devlin et al. do (1810.04805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from neoai_utils.crosslingual.conll import Labels, Utterance
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["IGNORED", "Alignment", "Batch", "Collator"]

Alignment = Literal["position", "first piece"]
IGNORED = -100
"""Label of the pieces that the loss leaves out."""


@dataclass(frozen=True)
class Batch:
    """Utterances ready for the encoder.

    Attributes:
        pieces: (n, length) int64, padded.
        mask: (n, length) int64, 0 where padded.
        intents: (n,) int64; `IGNORED` where hidden or unknown.
        slots: (n, length) int64; `IGNORED` where no tag lies.
        places: for each utterance, the piece whose prediction is each word's; None for words that were cut off.
    """

    pieces: Tensor
    mask: Tensor
    intents: Tensor
    slots: Tensor
    places: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True)
class Collator:
    """Turns utterances into a padded batch.

    Attributes:
        tokenizer: a fast one, which knows the word of each piece.
        labels: tags and intents that are not among them are left out of the loss.
        alignment: which piece carries a word's tag, in training and in answers alike.
        longest: pieces of an utterance at most; what goes beyond is cut off.

    Raises:
        ParameterError: there is no such alignment.
    """

    tokenizer: PreTrainedTokenizerFast
    labels: Labels
    alignment: Alignment = "first piece"
    longest: int = 64

    def __post_init__(self) -> None:
        """Check the alignment's name."""
        if self.alignment not in get_args(Alignment):
            raise ParameterError(f"alignment must be one of {', '.join(get_args(Alignment))}, got {self.alignment!r}.")

    def __call__(self, utterances: Sequence[Utterance]) -> Batch:
        """Return the batch of utterances, with or without labels.

        Raises:
            ParameterError: there is no utterance.
        """
        if not utterances:
            raise ParameterError("a batch needs at least one utterance.")
        found = self.tokenizer(
            [list(utterance.words) for utterance in utterances], is_split_into_words=True, padding=True,
            truncation=True, max_length=min(self.longest, self.tokenizer.model_max_length), return_tensors="pt",
        )  # fmt: skip
        pieces, mask = found["input_ids"], found["attention_mask"]
        places = tuple(
            _by_position(len(utterance.words), int(mask[row].sum()))
            if self.alignment == "position"
            else _first_pieces(len(utterance.words), found.word_ids(row))
            for row, utterance in enumerate(utterances)
        )
        slots = torch.full_like(pieces, IGNORED)
        numbers = {tag: number for number, tag in enumerate(self.labels.tags)}
        for row, (utterance, at) in enumerate(zip(utterances, places, strict=True)):
            for tag, place in zip(utterance.slots or (), at, strict=False):
                if place is not None:
                    slots[row, place] = numbers.get(tag, IGNORED)
        names = self.labels.intents
        intents = [names.index(u.intent) if u.intent in names else IGNORED for u in utterances]
        return Batch(pieces, mask, torch.tensor(intents), slots, places)


def _by_position(words: int, length: int) -> tuple[int | None, ...]:
    """Word i at piece i: what the published collator does, the special piece at 0 included."""
    return tuple(place if place < length else None for place in range(words))


def _first_pieces(words: int, owners: Sequence[int | None]) -> tuple[int | None, ...]:
    first: dict[int, int] = {}
    for place, owner in enumerate(owners):
        if owner is not None:
            first.setdefault(owner, place)
    return tuple(first.get(word) for word in range(words))
