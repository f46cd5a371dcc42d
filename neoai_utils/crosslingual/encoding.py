"""From words to an encoder's tokens, with each slot tag on the right token, and back.

A multilingual tokenizer splits a word into one or more tokens, and a special token precedes the first. The published
code puts the tag of word i on token i, whatever word that token belongs to (`"position"`). The remedy is to put it on
the word's first token and to leave the others out of the loss (`"first token"`), as Devlin et al. do (1810.04805).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from neoai_utils.crosslingual.utterances import Labels, Utterance
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["IGNORED", "Alignment", "Batch", "Collator"]

Alignment = Literal["position", "first token"]
IGNORED = -100
"""Label of the tokens that the loss leaves out."""


@dataclass(frozen=True)
class Batch:
    """Utterances ready for the encoder.

    Attributes:
        tokens: (n, length) int64, padded.
        mask: (n, length) int64, 0 where padded.
        intents: (n,) int64; `IGNORED` where hidden or unknown.
        slots: (n, length) int64; `IGNORED` at tokens without a tag.
        indices: for each utterance, the token that carries each word's tag; None for words that were cut off.
    """

    tokens: Tensor
    mask: Tensor
    intents: Tensor
    slots: Tensor
    indices: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True)
class Collator:
    """Turns utterances into a padded batch.

    Attributes:
        tokenizer: a fast one, which returns the word of each token.
        labels: tags and intents that are not among them are left out of the loss.
        alignment: which token carries a word's tag, in training and in prediction.
        max_length: tokens of an utterance at most; the rest is cut off.

    Raises:
        ParameterError: there is no such alignment.
    """

    tokenizer: PreTrainedTokenizerFast
    labels: Labels
    alignment: Alignment = "first token"
    max_length: int = 64

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
        encoded = self.tokenizer(
            [list(utterance.words) for utterance in utterances], is_split_into_words=True, padding=True,
            truncation=True, max_length=min(self.max_length, self.tokenizer.model_max_length), return_tensors="pt",
        )  # fmt: skip
        tokens, mask = encoded["input_ids"], encoded["attention_mask"]
        indices = tuple(
            _by_position(len(utterance.words), int(mask[row].sum()))
            if self.alignment == "position"
            else _first_tokens(len(utterance.words), encoded.word_ids(row))
            for row, utterance in enumerate(utterances)
        )
        slots = torch.full_like(tokens, IGNORED)
        numbers = {tag: number for number, tag in enumerate(self.labels.tags)}
        for row, (utterance, of_words) in enumerate(zip(utterances, indices, strict=True)):
            for tag, index in zip(utterance.slots or (), of_words, strict=False):
                if index is not None:
                    slots[row, index] = numbers.get(tag, IGNORED)
        names = self.labels.intents
        intents = [names.index(u.intent) if u.intent in names else IGNORED for u in utterances]
        return Batch(tokens, mask, torch.tensor(intents), slots, indices)


def _by_position(words: int, length: int) -> tuple[int | None, ...]:
    """Return token i for word i, as the published collator does, although token 0 is the special one."""
    return tuple(index if index < length else None for index in range(words))


def _first_tokens(words: int, word_of_token: Sequence[int | None]) -> tuple[int | None, ...]:
    first: dict[int, int] = {}
    for index, word in enumerate(word_of_token):
        if word is not None:
            first.setdefault(word, index)
    return tuple(first.get(word) for word in range(words))
