"""Clusters of equal size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering import balanced


@given(st.integers(20, 70), st.integers(2, 7), st.integers(0, 1000))
@settings(max_examples=25)
def test_sizes_are_equal_or_differ_by_one(count, groups, seed):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(groups), rng.integers(0, groups, count - groups)])
    balanced_labels = balanced.equal_sizes(rng.normal(size=(count, 3)).astype(np.float32), labels, rounds=2)
    sizes = np.bincount(balanced_labels, minlength=groups)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1


def test_the_assignment_is_the_cheapest():
    """Five points on a line, sizes 3 and 2: the middle one goes where it costs less."""
    vectors = np.array([[0.0], [1.0], [4.0], [9.0], [10.0]], np.float32)
    balanced_labels = balanced.equal_sizes(vectors, np.array([0, 0, 0, 1, 1]), rounds=1)
    assert balanced_labels.tolist() == [0, 0, 0, 1, 1]
