"""Sub-tokens against the nested scan, and the mean with its fallbacks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.embeddings import substrings

TOKENS = st.text(alphabet="ab#c", min_size=1, max_size=6)


@given(st.lists(TOKENS, max_size=20), st.sets(TOKENS, max_size=30))
@settings(max_examples=200)
def test_lookup_finds_what_the_nested_scan_finds(words, vocabulary):
    ids = {token: i for i, token in enumerate(sorted(vocabulary))}
    assert substrings.subtokens(words, ids) == substrings.nested_scan(words, ids)


def test_substring_mean_and_its_fallbacks(case):
    subtoken_ids = [[case.donors[0], case.donors[3]], []]
    rows = substrings.substring_mean(case, subtoken_ids)
    assert rows[0] == pytest.approx((case.table[case.donors[0]] + case.table[case.donors[3]]) / 2)
    assert rows[1] == pytest.approx(case.mean)
    wild = substrings.substring_mean(case, subtoken_ids, lambda n: np.full((n, 8), 9, np.float32))
    assert (wild[1] == 9).all()
