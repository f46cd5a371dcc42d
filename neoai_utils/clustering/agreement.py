"""Agreement of several clusterings of the same pictures, and their consensus; neither needs a true label."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32

__all__ = ["agreement", "consensus", "consensus_clusters"]


def agreement(labelings: Sequence[NDArray[np.integer]]) -> float:
    """Return the mean adjusted Rand index over all pairs of labellings, each (n), of the same pictures."""
    from sklearn.metrics import adjusted_rand_score

    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labelings, 2)]))


def consensus(labelings: Sequence[NDArray[np.integer]]) -> Float32:
    """Return unit rows that are closer the more labellings put two pictures into one cluster.

    The product of two rows is the share of labellings that agree on the pair: the co-association matrix of evidence
    accumulation (Fred & Jain 2005, IEEE TPAMI 27(6)), without forming its n x n numbers.

    Args:
        labelings: each (n), numbers from 0.

    Returns:
        (n, clusters of all labellings together) float32.
    """
    indicators = [np.eye(labels.max() + 1, dtype=np.float32)[labels] for labels in labelings]
    rows: Float32 = np.concatenate(indicators, axis=1)
    rows /= np.float32(np.sqrt(len(labelings)))
    return rows


def consensus_clusters(labelings: Sequence[NDArray[np.integer]], clusters: int, seed: int) -> NDArray[np.integer]:
    """Return the labels (n) of k-means, the best of ten runs, on the consensus of labellings, each (n)."""
    from sklearn.cluster import KMeans

    labels: NDArray[np.integer] = KMeans(clusters, n_init=10, random_state=seed).fit_predict(consensus(labelings))
    return labels
