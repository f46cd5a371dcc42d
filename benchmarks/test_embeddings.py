"""Task 5: finding the sub-tokens of all broken rows, against the published nested scan, in one run.

`pytest benchmarks/test_embeddings.py -s` prints the ratio. Both get the whole of the task: 12,208 lost tokens of the
30,522 of BERT's vocabulary, and both must find the same.
"""

from __future__ import annotations

import time

import numpy as np
import pytest

from neoai_utils import offline
from neoai_utils.embeddings import substrings
from neoai_utils.errors import AssetError


@pytest.fixture(scope="module")
def game():
    try:
        path = offline.fetch("minilm-l6") / "vocab.txt"
    except AssetError as error:
        pytest.skip(str(error))
    words = path.read_text(encoding="utf-8").splitlines()
    lost = set(np.random.default_rng(0).choice(len(words), 12_208, replace=False).tolist())
    return [words[i] for i in sorted(lost)], {w: i for i, w in enumerate(words) if i not in lost}


def test_subtokens_against_the_nested_scan(benchmark, game):
    lost, known = game

    def published():
        """A scan written afresh from the published description: every lost token against every known one."""
        found = []
        for word in lost:
            inside = []
            for token, i in known.items():
                if token in word:
                    inside.append(i)
            found.append(sorted(inside))
        return found

    quick = benchmark.pedantic(substrings.subtokens, args=game, rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    slow = published()
    seconds = time.perf_counter() - start
    assert quick == slow
    mine = benchmark.stats.stats.median if benchmark.stats else float("nan")
    benchmark.extra_info["ratio"] = seconds / mine
    print(f"\nnested scan {seconds:.1f} s, lookup {mine:.2f} s: {seconds / mine:.0f} times faster")
