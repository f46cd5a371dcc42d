"""Unit rows and whitening."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering.vectors import unit, whitened


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_whitened_rows_have_length_one_and_equal_variances(seed):
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(300, 20)) * np.geomspace(1, 1e3, 20)).astype(np.float32)
    rows = whitened(vectors, 5)
    assert rows.shape == (300, 5)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    spreads = rows.std(axis=0)
    assert spreads.max() < 2 * spreads.min()


def test_a_row_of_zeros_survives():
    assert np.array_equal(unit(np.zeros((1, 3), np.float32)), np.zeros((1, 3)))
