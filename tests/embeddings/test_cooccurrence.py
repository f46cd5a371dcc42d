"""Counts by hand."""

from __future__ import annotations

import numpy as np

from neoai_utils.embeddings import cooccurrence


def test_neighbours_are_counted_by_offset():
    near = cooccurrence.neighbour_counts([[1, 2, 3], [1, 2]], 5)
    assert near[1].toarray()[1, 2] == 2  # twice, 2 stands right of 1
    assert near[-1].toarray()[2, 1] == 2
    assert near[2].toarray()[1, 3] == 1
    assert near[-2].toarray()[3, 1] == 1
    assert near[1].toarray()[3].sum() == 0  # texts do not run into each other
    assert cooccurrence.counts([[1, 2, 3], [1, 2]], 5).tolist() == [0, 2, 2, 1, 0]


def test_neighbour_means_by_hand():
    table = np.arange(10, dtype=np.float32).reshape(5, 2)
    near = cooccurrence.neighbour_counts([[1, 2, 3]], 5)
    means = cooccurrence.neighbour_means(near, table, np.array([0, 1, 1, 1, 0]), damping=1e9)
    assert means.shape == (5, 8)
    assert means[2].tolist() == [2, 3, 6, 7, 0, 0, 0, 0]  # left: row 1, right: row 3
    assert means[1].tolist() == [0, 0, 4, 5, 0, 0, 6, 7]
    assert not means[4].any()
