"""Task 8, word alignment: IBM model 1 in three sums a round, against the algorithm word by word."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from neoai_utils.crosslingual.word_translation import EMPTY, ibm_model_1

Pairs = list[tuple[list[str], list[str]]]


def some_pairs(count: int) -> Pairs:
    """Sentences of eight words with Zipf's frequencies; each source word has one translation."""
    rng = np.random.default_rng(0)
    weights = 1 / np.arange(2, 2002)
    sources = [rng.choice(2000, 8, p=weights / weights.sum()) for _ in range(count)]
    return [([f"s{w}" for w in words], [f"t{w}" for w in rng.permutation(words)]) for words in sources]


def word_by_word(pairs: Pairs, rounds: int) -> dict[tuple[str, str], float]:
    targets = {word for _, sentence in pairs for word in sentence}
    t: dict[tuple[str, str], float] = defaultdict(lambda: 1 / len(targets))
    for _ in range(rounds):
        count: dict[tuple[str, str], float] = defaultdict(float)
        total: dict[str, float] = defaultdict(float)
        for source, target in pairs:
            for f in target:
                whole = sum(t[e, f] for e in [EMPTY, *source])
                for e in [EMPTY, *source]:
                    count[e, f] += t[e, f] / whole
                    total[e] += t[e, f] / whole
        t = defaultdict(float, {(e, f): value / total[e] for (e, f), value in count.items()})
    return t


def test_ibm_model_1(against):
    pairs = some_pairs(2000)
    fast, slow = against("8 · IBM model 1, 2,000 pairs", lambda: word_by_word(pairs, 10), lambda: ibm_model_1(pairs))
    entry = (fast.rows == fast.sources.index("s7")) & (fast.columns == fast.targets.index("t7"))
    assert fast.values[entry].item() == pytest.approx(slow["s7", "t7"], abs=1e-9)


def test_cost_of_ibm_model_1(growth):
    def prepare(size):
        pairs = some_pairs(size)
        return lambda: ibm_model_1(pairs)

    growth("8 · IBM model 1, sentence pairs", prepare, 2500)
