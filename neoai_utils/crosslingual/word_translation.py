"""Which word translates which, learnt from sentence pairs alone: IBM model 1 (Brown et al. 1993, J93-2003).

The model says that each target word was made by one source word of its sentence (or by none of them, the empty word),
and that position does not matter. Expectation maximisation starts with all translations alike; words that keep meeting
in pairs attract one another. All pairs of words of all sentences lie in one flat array, so that a round is three sums.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError

__all__ = ["EMPTY", "Translations", "agreement", "dictionary", "ibm_model_1"]

EMPTY = ""
"""The empty source word, which may make target words that nothing in the sentence accounts for."""

Words = Sequence[str]


@dataclass(frozen=True)
class Translations:
    """Probabilities t(target | source) of the word pairs that met in a sentence.

    Attributes:
        sources: source vocabulary, the empty word first.
        targets: target vocabulary.
        rows: (pairs,) int64, the places of the source words, ascending.
        columns: (pairs,) int64, the places of the target words.
        values: (pairs,) float64; those of one source word sum to 1.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]

    def probability(self, source: str, target: str) -> float:
        """Return t(target | source); 0 if the two never met."""
        if source not in self.sources or target not in self.targets:
            return 0.0
        hit = (self.rows == self.sources.index(source)) & (self.columns == self.targets.index(target))
        return float(self.values[hit].sum())


def ibm_model_1(pairs: Sequence[tuple[Words, Words]], rounds: int = 10) -> Translations:
    """Estimate word translations by expectation maximisation.

    Args:
        pairs: (source words, target words) of each sentence pair; without any, no word has a translation.
        rounds: of EM; the likelihood has one optimum, and ten rounds come near.

    Raises:
        DataError: a sentence has no word.
    """
    if not all(len(source) and len(target) for source, target in pairs):
        raise DataError("IBM model 1 needs sentence pairs with at least one word on either side.")
    if not pairs:
        none = np.zeros(0, np.int64)
        return Translations((EMPTY,), (), none, none, np.zeros(0))
    sources, source_places = _numbered([(EMPTY, *source) for source, _ in pairs])
    targets, target_places = _numbered([tuple(target) for _, target in pairs])
    # one entry for each (source word, target word) of each sentence; `slot` numbers the target words of all sentences
    row = np.concatenate([np.tile(s, len(t)) for s, t in zip(source_places, target_places, strict=True)])
    column = np.concatenate([np.repeat(t, len(s)) for s, t in zip(source_places, target_places, strict=True)])
    repeats = np.concatenate([np.full(len(t), len(s)) for s, t in zip(source_places, target_places, strict=True)])
    slot = np.repeat(np.arange(len(repeats)), repeats)
    keys, entry = np.unique(row * len(targets) + column, return_inverse=True)
    rows, columns = keys // len(targets), keys % len(targets)
    values = np.full(len(keys), 1 / len(targets))
    for _ in range(rounds):
        shares = values[entry]
        shares = shares / np.bincount(slot, shares)[slot]
        counts = np.bincount(entry, shares, minlength=len(keys))
        values = counts / np.bincount(rows, counts)[rows]
    return Translations(sources, targets, rows, columns, values)


def agreement(forward: Translations, backward: Translations) -> dict[tuple[str, str], float]:
    """Return (source, target) -> t(target | source) * t(source | target) of the word pairs that met.

    A rare word meets a whole sentence once, and one direction alone believes that all of it are translations; the
    product does not.

    Args:
        forward: t(target | source).
        backward: t(source | target), of the same pairs turned round.
    """
    reverse = {
        (backward.targets[column], backward.sources[row]): float(value)
        for row, column, value in zip(backward.rows, backward.columns, backward.values, strict=True)
    }
    pairs = zip(forward.rows, forward.columns, forward.values, strict=True)
    named = ((forward.sources[row], forward.targets[column], float(value)) for row, column, value in pairs)
    return {(s, t): value * reverse.get((s, t), 0.0) for s, t, value in named if s != EMPTY}


def dictionary(agreed: Mapping[tuple[str, str], float], least: float = 0.05, most: int = 2) -> dict[str, list[str]]:
    """Return translations on which both directions agree: source word -> target words, the likeliest first.

    Args:
        agreed: what `agreement` returns.
        least: smallest product that counts.
        most: translations of a word.
    """
    found: dict[str, list[tuple[float, str]]] = {}
    for (source, target), value in agreed.items():
        if value > least:
            found.setdefault(source, []).append((-value, target))
    return {source: [target for _, target in sorted(options)[:most]] for source, options in found.items()}


def _numbered(sentences: Sequence[Words]) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """Return the vocabulary in the order of first appearance, and each sentence as places in it."""
    vocabulary: dict[str, int] = {}
    places = [
        np.array([vocabulary.setdefault(word, len(vocabulary)) for word in sentence], dtype=np.int64)
        for sentence in sentences
    ]
    return tuple(vocabulary), places
