"""Clusters that choose their own space: k-means and linear discriminants in turn.

Ding & Li 2007, "Adaptive dimension reduction using discriminant analysis and K-means clustering" (ICML). A rough
clustering is taken for the truth, linear discriminant analysis looks for the directions in which its clusters are tight
and far apart, and the pictures are clustered again in those directions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.clustering.vectors import unit

__all__ = ["centres_of", "discriminants", "sharpened"]

COMPONENTS = 160  # principal components that the discriminants are made from
_SHRINKAGE = 0.1  # share of a round covariance mixed in: a cluster of 120 does not fix one of 160 x 160

Array = NDArray[np.float32]
Labels = NDArray[np.integer]


def sharpened(vectors: Array, labels: Labels, rounds: int, seed: int) -> tuple[Labels, Array]:
    """Cluster again and again in the discriminants of the last clustering.

    Args:
        vectors: (n, width), unit rows.
        labels: (n,) the rough clustering, numbers from 0 without a gap.
        rounds: how many times.
        seed: of k-means.

    Returns:
        The labels (n,), and the unit vectors (n, clusters - 1) in which they were found.
    """
    from sklearn.cluster import KMeans

    components = _principal(vectors)
    for _ in range(rounds):
        space = _discriminants(components, labels)
        centres = centres_of(space, labels)
        labels = KMeans(len(centres), init=centres, n_init=1, random_state=seed).fit_predict(space)
    return labels, space


def discriminants(vectors: Array, labels: Labels) -> Array:
    """Return unit rows (n, clusters - 1) of (n, width) in the space where the clusters are tight and far apart."""
    return _discriminants(_principal(vectors), labels)


def _principal(vectors: Array) -> Array:
    from sklearn.decomposition import PCA

    components: Array = PCA(min(COMPONENTS, *vectors.shape), svd_solver="covariance_eigh").fit_transform(vectors)
    return components


def _discriminants(components: Array, labels: Labels) -> Array:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=_SHRINKAGE)
    return unit(analysis.fit(components, labels).transform(components).astype(np.float32))


def centres_of(vectors: Array, labels: Labels) -> Array:
    """Return the mean (clusters, width) of each cluster of (n, width), in the order of the clusters' numbers."""
    return np.stack([vectors[labels == label].mean(axis=0) for label in np.unique(labels)])
