"""IBM model 1 in three sums a round, against the algorithm word by word. Printed, never gating on seconds."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest

from neoai_utils.crosslingual.word_translation import EMPTY, ibm_model_1

Pairs = list[tuple[list[str], list[str]]]


def some_pairs(count: int) -> Pairs:
    """Sentences of eight words with Zipf's frequencies; each source word has one translation."""
    random = np.random.default_rng(0)
    weights = 1 / np.arange(2, 2002)
    sources = [random.choice(2000, 8, p=weights / weights.sum()) for _ in range(count)]
    return [([f"s{w}" for w in words], [f"t{w}" for w in random.permutation(words)]) for words in sources]


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


def test_ibm_model_1(benchmark: Any) -> None:
    pairs = some_pairs(2000)
    start = time.perf_counter()
    slow = word_by_word(pairs, 10)
    middle = time.perf_counter()
    fast = ibm_model_1(pairs)
    end = time.perf_counter()
    assert fast.probability("s7", "t7") == pytest.approx(slow["s7", "t7"], abs=1e-9)
    print(f"\n2,000 pairs, ten rounds: {middle - start:.2f} s word by word, {end - middle:.2f} s in sums")
    print(f"ratio {(middle - start) / (end - middle):.0f}x")
    benchmark.pedantic(ibm_model_1, (some_pairs(10_000),), rounds=3)
