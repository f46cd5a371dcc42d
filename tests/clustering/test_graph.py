"""Neighbour graphs against plain sets, and spectral clustering of planted groups."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neoai_utils.clustering import graph
from tests.clustering.conftest import blobs


def test_reciprocal_similarities_against_sets():
    vectors, _ = blobs(count=8)
    count = 5
    gaps = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    near = [set(np.argsort(row)[: count + 1]) - {i} for i, row in enumerate(gaps)]
    mutual = [{i} | {j for j in near[i] if i in near[j]} for i in range(len(vectors))]
    expected = np.array([[len(a & b) / len(a | b) for b in mutual] for a in mutual])
    expected[expected <= 0.05] = 0
    assert np.allclose(graph.reciprocal(vectors, count).toarray(), expected)


@pytest.mark.parametrize("make", [graph.neighbours, graph.reciprocal])
def test_graphs_are_symmetric_and_spectral_finds_the_blobs(make):
    vectors, truth = blobs(spread=0.35)
    weights = make(vectors, 15)
    assert abs(weights - weights.T).max() < 1e-12
    assert adjusted_rand_score(truth, graph.spectral(weights, 4, seed=0)) > 0.9
