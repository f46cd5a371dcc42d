"""Task 4, factor products and clusters: ways to save work, against plain references.

All pairs of pictures can be compared without forming a picture: the inner product of W1 H1 and W2 H2 is the trace of
the 4 x 4 products (W1' W2) (H2 H1'). And the factorisation takes each step for many pictures at once.
"""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import NMF

from neoai_utils.clustering import graph, pictures
from neoai_utils.clustering.discriminant import lda_kmeans
from neoai_utils.clustering.miniature.nmf import factorise
from neoai_utils.clustering.vectors import unit, whitened


def factors(count: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.random((count, 128, 4), np.float32), random.random((count, 4, 128), np.float32)


def formed(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.concatenate(list(pictures.batches(left, right)))


def inner_by_traces(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    count, rank = len(left), left.shape[2]
    columns = left.transpose(0, 2, 1).reshape(count * rank, -1)
    rows = right.reshape(count * rank, -1)
    pairs = (columns @ columns.T) * (rows @ rows.T)
    return pairs.reshape(count, rank, count, rank).sum(axis=(1, 3))


def test_pictures_out_of_factors(against):
    """The reference multiplies one picture's factors entry by entry of their rank."""
    left, right = factors(480)

    def one_by_one():
        return np.stack([sum(np.outer(w[:, k], h[k]) for k in range(4)) for w, h in zip(left, right, strict=True)])

    found, expected = against("4 · factor products, 480 pictures", one_by_one, lambda: formed(left, right))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_inner_products_of_all_pairs(against):
    left, right = factors(960)

    def by_pictures():
        flat = formed(left, right).reshape(len(left), -1)
        return flat @ flat.T

    traced, plain = against("4 · all inner products, 960 pictures", by_pictures, lambda: inner_by_traces(left, right))
    assert np.allclose(plain, traced, rtol=1e-3)


def test_factorisation_of_many_pictures(against):
    shown = np.random.default_rng(0).uniform(0, 255, (60, 128, 128)).astype(np.float32)

    def one_by_one():
        models = [NMF(4, init="random", solver="mu", max_iter=100, tol=0, random_state=0) for _ in shown]
        return [np.linalg.norm(p - m.fit_transform(p) @ m.components_) for p, m in zip(shown, models, strict=True)]

    (left, right), reference = against("4 · 60 factorisations", one_by_one, lambda: factorise(shown, 4, 100, 0))
    errors = [np.linalg.norm(p - w @ h) for p, w, h in zip(shown, left, right, strict=True)]
    assert np.mean(errors) < 1.02 * np.mean(reference)


def test_cost_of_factor_products(growth):
    def prepare(size):
        left, right = factors(size)
        return lambda: formed(left, right)

    growth("4 · factor products, pictures", prepare, 240)


def test_cost_of_clustering(growth):
    """From vectors to clusters, at a quarter, half and the whole of the competition's size."""

    def prepare(size):
        random = np.random.default_rng(0)
        truth = np.arange(size) % 32
        centres, noise = random.normal(size=(32, 1280)), random.normal(size=(size, 1280))
        vectors = unit((centres[truth] + 3 * noise).astype(np.float32))

        def work():
            labels = graph.spectral(graph.reciprocal(whitened(vectors, 96), 20), 32, seed=0)
            labels = lda_kmeans(vectors, labels, 6, seed=0)[0]
            assert len(np.unique(labels)) == 32

        return work

    growth("4 · clustering, pictures", prepare, 960, rounds=2)
