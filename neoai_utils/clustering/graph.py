"""Spectral clustering of neighbour graphs.

Spectral clustering (Ng, Jordan & Weiss 2001), with the clusters assigned by a column-pivoted QR (Damle, Minden & Ying
2019, arXiv:1609.08251); and k-reciprocal neighbours (Zhong et al. 2017, "Re-ranking person
re-identification with k-reciprocal encoding", arXiv:1701.08398).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["neighbours", "reciprocal", "reciprocal_clusters", "spectral"]

_MIN_SIMILARITY = 0.05  # smaller ones are dropped, which keeps the graph sparse


def neighbours(vectors: Float32, count: int) -> csr_array:
    """Return the symmetric graph (n, n) of (n, width): 1 for mutual neighbours, 1/2 for one-sided ones."""
    from sklearn.neighbors import kneighbors_graph

    graph: Any = kneighbors_graph(vectors, count)
    return (graph + graph.T) * 0.5


def reciprocal(vectors: Float32, count: int) -> csr_array:
    """Return the Jaccard similarities (n, n) of the sets of mutual neighbours of (n, width)."""
    from scipy.sparse import csr_array, eye_array
    from sklearn.neighbors import kneighbors_graph

    graph = csr_array(kneighbors_graph(vectors, count))
    mutual = csr_array(graph.minimum(graph.T) + eye_array(len(vectors)))
    sizes = mutual.sum(axis=1)
    shared = (mutual @ mutual.T).tocoo()
    values = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    kept = values > _MIN_SIMILARITY
    return csr_array((values[kept], (shared.row[kept], shared.col[kept])), shape=shared.shape)


def reciprocal_clusters(vectors: Float32, count: int, clusters: int, seed: int) -> NDArray[np.integer]:
    """Return the labels (n) of spectral clustering of the reciprocal graph of (n, width)."""
    return spectral(reciprocal(vectors, count), clusters, seed)


def spectral(graph: csr_array, clusters: int, seed: int) -> NDArray[np.integer]:
    """Return the labels (n) of spectral clustering of a symmetric graph (n, n)."""
    from scipy.sparse import csr_matrix
    from sklearn.cluster import SpectralClustering

    model = SpectralClustering(clusters, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    with warnings.catch_warnings():  # a graph of several components only makes clusters easier to separate
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels: NDArray[np.integer] = model.fit_predict(csr_matrix(graph))
    return labels
