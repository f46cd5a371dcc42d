"""LDA and k-means in turn, on planted groups."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from neoai_utils.clustering import discriminant
from neoai_utils.clustering.vectors import unit
from tests.clustering.conftest import blobs


def test_discriminants_repair_a_rough_clustering():
    """Two thirds of the labels are right, and most of the width is noise that hides the groups."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 100)
    signal = np.eye(4)[truth] + 0.35 * rng.normal(size=(400, 4))
    vectors = unit(np.concatenate([signal, rng.normal(size=(400, 20))], axis=1).astype(np.float32))
    rough = np.where(rng.random(400) < 0.67, truth, rng.integers(0, 4, 400))
    labels, space = discriminant.lda_kmeans(vectors, rough, rounds=5, seed=0)
    assert space.shape == (400, 3)
    assert adjusted_rand_score(truth, labels) > 1.5 * adjusted_rand_score(truth, rough)


def test_centroids_are_the_means():
    vectors = np.array([[0, 0], [2, 0], [5, 5]], np.float32)
    assert np.array_equal(discriminant.centroids(vectors, np.array([0, 0, 1])), [[1, 0], [5, 5]])


def test_refined_begins_with_the_given_clustering():
    vectors, truth = blobs()
    begin = np.where(np.random.default_rng(0).random(len(truth)) < 0.7, truth, 0)
    labels, _ = discriminant.lda_kmeans(vectors, begin, rounds=2, seed=0)
    assert np.array_equal(discriminant.refined(vectors, lambda _: begin, rounds=2, seed=0), labels)
