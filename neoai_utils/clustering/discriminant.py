"""Adaptive dimension reduction: k-means and linear discriminant analysis in turn.

Ding & Li 2007, "Adaptive dimension reduction using discriminant analysis and K-means clustering" (ICML). The current
clusters are treated as classes, linear discriminant analysis finds the directions in which they are compact and far
apart, and the pictures are clustered again in those directions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32
from neoai_utils.clustering.vectors import unit

__all__ = ["centroids", "discriminants", "lda_kmeans", "refined"]

_COMPONENTS = 160  # principal components that the discriminants are made from
_SHRINKAGE = 0.1  # towards a spherical covariance: 120 pictures do not determine one of 160 x 160


def lda_kmeans(
    vectors: Float32, labels: NDArray[np.integer], rounds: int, seed: int
) -> tuple[NDArray[np.integer], Float32]:
    """Cluster repeatedly in the discriminants of the previous clustering.

    Args:
        vectors: (n, width), unit rows.
        labels: (n), the clustering to start from, numbers from 0 without a gap.
        rounds: how many times.
        seed: of k-means.

    Returns:
        The labels (n), and the unit vectors (n, clusters - 1) that the last round clustered.
    """
    from sklearn.cluster import KMeans

    components = _principal_components(vectors)
    for _ in range(rounds):
        space = _discriminants(components, labels)
        centres = centroids(space, labels)
        labels = KMeans(len(centres), init=centres, n_init=1, random_state=seed).fit_predict(space)
    return labels, space


def refined(
    vectors: Float32, start: Callable[[Float32], NDArray[np.integer]], rounds: int, seed: int
) -> NDArray[np.integer]:
    """Return the labels (n) of `lda_kmeans` that begins with what `start` makes of the vectors."""
    return lda_kmeans(vectors, start(vectors), rounds, seed)[0]


def discriminants(vectors: Float32, labels: NDArray[np.integer]) -> Float32:
    """Return unit rows (n, clusters - 1) of (n, width) in the space where the clusters are compact and far apart."""
    return _discriminants(_principal_components(vectors), labels)


def _principal_components(vectors: Float32) -> Float32:
    from sklearn.decomposition import PCA

    components: Float32 = PCA(min(_COMPONENTS, *vectors.shape), svd_solver="covariance_eigh").fit_transform(vectors)
    return components


def _discriminants(components: Float32, labels: NDArray[np.integer]) -> Float32:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    analysis = LinearDiscriminantAnalysis(solver="eigen", shrinkage=_SHRINKAGE)
    return unit(analysis.fit(components, labels).transform(components).astype(np.float32))


def centroids(vectors: Float32, labels: NDArray[np.integer]) -> Float32:
    """Return the mean (clusters, width) of each cluster of (n, width), in the order of the clusters' numbers."""
    return np.stack([vectors[labels == label].mean(axis=0) for label in np.unique(labels)])
