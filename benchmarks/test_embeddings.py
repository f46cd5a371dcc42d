"""Task 5, token repair: the sub-tokens of all broken rows, against the published nested scan.

Both get the whole of the task: 12,208 lost tokens of the 30,522 of BERT's vocabulary, and both must find the same.
"""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils import offline
from neoai_utils.embeddings import substrings
from neoai_utils.errors import AssetError

Game = tuple[list[str], dict[str, int]]


@pytest.fixture(scope="module")
def words() -> list[str]:
    try:
        path = offline.fetch("minilm-l6") / "vocab.txt"
    except AssetError as error:
        pytest.skip(str(error))
    return path.read_text(encoding="utf-8").splitlines()


def game(words: list[str]) -> Game:
    """Two tokens in five are lost."""
    lost = set(np.random.default_rng(0).choice(len(words), 4 * len(words) // 10, replace=False).tolist())
    return [words[i] for i in sorted(lost)], {w: i for i, w in enumerate(words) if i not in lost}


def nested_scan(lost: list[str], known: dict[str, int]) -> list[list[int]]:
    """Every lost token against every known one, written afresh from the published description."""
    found = []
    for word in lost:
        inside = []
        for token, i in known.items():
            if token in word:
                inside.append(i)
        found.append(sorted(inside))
    return found


def test_subtokens_against_the_nested_scan(against, words):
    given = game(words)
    quick, slow = against("5 · token repair, 12,208 lost tokens", lambda: nested_scan(*given),
                          lambda: substrings.subtokens(*given))  # fmt: skip
    assert quick == slow


def test_cost_of_subtokens(growth, words):
    mixed = np.random.default_rng(1).permutation(words).tolist()

    def prepare(size):
        given = game(mixed[:size])
        return lambda: substrings.subtokens(*given)

    growth("5 · token repair, words of the vocabulary", prepare, len(words) // 4)
