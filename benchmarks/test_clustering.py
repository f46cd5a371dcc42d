"""Two ways to save work, against plain references written afresh. Printed, never gating on seconds.

All pairs of pictures can be compared without forming a picture: the inner product of W1 H1 and W2 H2 is the trace of
the 4 x 4 products (W1' W2) (H2 H1'). And the factorisation takes each step for many pictures at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import NMF

from neoai_utils.clustering import graph, pictures
from neoai_utils.clustering.discriminant import sharpened
from neoai_utils.clustering.nmf import factorise
from neoai_utils.clustering.vectors import unit, whitened


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def inner_by_pictures(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    formed = np.concatenate(list(pictures.batches(left, right))).reshape(len(left), -1)
    return formed @ formed.T


def inner_by_traces(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    count, rank = len(left), left.shape[2]
    columns = left.transpose(0, 2, 1).reshape(count * rank, -1)
    rows = right.reshape(count * rank, -1)
    pairs = (columns @ columns.T) * (rows @ rows.T)
    return pairs.reshape(count, rank, count, rank).sum(axis=(1, 3))


def test_inner_products_of_all_pairs(benchmark: Any) -> None:
    random = np.random.default_rng(0)
    left, right = random.random((960, 128, 4), np.float32), random.random((960, 4, 128), np.float32)
    slow, formed = seconds(lambda: inner_by_pictures(left, right))
    fast, traced = seconds(lambda: inner_by_traces(left, right))
    assert np.allclose(formed, traced, rtol=1e-3)
    print(f"\n960 pictures, all inner products: {slow:.2f} s through pictures, {fast:.2f} s through traces")
    benchmark.pedantic(inner_by_traces, (left, right), rounds=3)


def test_factorisation_of_many_pictures(benchmark: Any) -> None:
    shown = np.random.default_rng(0).uniform(0, 255, (60, 128, 128)).astype(np.float32)

    def one_by_one() -> list[float]:
        models = [NMF(4, init="random", solver="mu", max_iter=100, tol=0, random_state=0) for _ in shown]
        return [np.linalg.norm(p - m.fit_transform(p) @ m.components_) for p, m in zip(shown, models, strict=True)]

    slow, reference = seconds(one_by_one)
    fast, (left, right) = seconds(lambda: factorise(shown, 4, 100, 0))
    errors = [np.linalg.norm(p - w @ h) for p, w, h in zip(shown, left, right, strict=True)]
    assert np.mean(errors) < 1.02 * np.mean(reference)
    print(f"\n60 factorisations: {slow:.2f} s one by one, {fast:.2f} s together ({slow / fast:.0f} times as fast)")
    benchmark.pedantic(factorise, (shown, 4, 100, 0), rounds=3)


@pytest.mark.parametrize("count", [960, 1920, 3840])
def test_clustering_without_the_network(benchmark: Any, count: int) -> None:
    """From vectors to clusters, at a quarter, half and the whole of the competition's size."""
    random = np.random.default_rng(0)
    truth = np.arange(count) % 32
    vectors = unit((random.normal(size=(32, 1280))[truth] + 3 * random.normal(size=(count, 1280))).astype(np.float32))

    def work() -> np.ndarray:
        labels = graph.spectral(graph.reciprocal(whitened(vectors, 96), 20), 32, seed=0)
        return sharpened(vectors, labels, 6, seed=0)[0]

    labels = benchmark.pedantic(work, rounds=1)
    assert len(np.unique(labels)) == 32
