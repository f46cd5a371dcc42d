"""English sentences with some words in Russian: CoSDA-ML (Qin et al. 2020, 2006.06402).

Every word of the dictionary is replaced, with some probability, by one of its translations. The word order, and so the
slot tags, stay the same; the encoder learns that both words need the same label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError

__all__ = ["mixed", "switched"]


def switched(
    utterance: Utterance, dictionary: Mapping[str, Sequence[str]], share: float, rng: np.random.Generator
) -> Utterance:
    """Return the utterance with about `share` of the dictionary's words translated, each word independently.

    Args:
        utterance: intent and tags stay as they are.
        dictionary: word in lower case -> its translations, each one word.
        share: probability that a word of the dictionary is replaced.
        rng: drawn from for every word, so that the dictionary does not shift later draws.

    Raises:
        ParameterError: `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ParameterError(f"share must be between 0 and 1, got {share}.")
    draws = rng.random((2, len(utterance.words)))
    words = []
    for word, chance, choice in zip(utterance.words, *draws, strict=True):
        options = dictionary.get(word.lower(), ())
        words.append(options[int(choice * len(options))] if options and chance < share else word)
    return replace(utterance, words=tuple(words))


def mixed(
    dictionary: Mapping[str, Sequence[str]], shares: Sequence[float] = (0.0, 0.5, 1.0)
) -> Callable[[Utterance, np.random.Generator], Utterance]:
    """Return a random change of utterances for training: each time `switched` with one of the shares."""

    def change(utterance: Utterance, rng: np.random.Generator) -> Utterance:
        return switched(utterance, dictionary, float(rng.choice(shares)), rng)

    return change
