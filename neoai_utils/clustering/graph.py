"""Clustering of a graph of neighbours instead of clouds around centres.

Spectral clustering (Ng, Jordan & Weiss 2001), with the clusters read off by a column-pivoted QR (Damle, Minden & Ying
2019, arXiv:1609.08251); and the neighbours made stricter by k-reciprocity (Zhong et al. 2017, "Re-ranking person
re-identification with k-reciprocal encoding", arXiv:1701.08398).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["neighbours", "reciprocal", "reciprocal_clusters", "spectral"]

_FAINT = 0.05  # similarities below this are left out, which keeps the graph sparse

Array = NDArray[np.float32]


def neighbours(vectors: Array, count: int) -> csr_array:
    """Return the symmetric graph (n, n): 1 if both are among the other's `count` nearest, 1/2 if only one is."""
    from sklearn.neighbors import kneighbors_graph

    graph: Any = kneighbors_graph(vectors, count)
    return (graph + graph.T) * 0.5


def reciprocal(vectors: Array, count: int) -> csr_array:
    """Return Jaccard similarities (n, n) of neighbourhoods: the shared share of two pictures' mutual neighbours."""
    from scipy.sparse import csr_array, eye_array
    from sklearn.neighbors import kneighbors_graph

    graph = csr_array(kneighbors_graph(vectors, count))
    mutual = csr_array(graph.minimum(graph.T) + eye_array(len(vectors)))
    sizes = mutual.sum(axis=1)
    shared = (mutual @ mutual.T).tocoo()
    values = shared.data / (sizes[shared.row] + sizes[shared.col] - shared.data)
    kept = values > _FAINT
    return csr_array((values[kept], (shared.row[kept], shared.col[kept])), shape=shared.shape)


def reciprocal_clusters(vectors: Array, count: int, clusters: int, seed: int) -> NDArray[np.integer]:
    """Return the labels (n,) of spectral clustering of the reciprocal graph of (n, width)."""
    return spectral(reciprocal(vectors, count), clusters, seed)


def spectral(graph: csr_array, clusters: int, seed: int) -> NDArray[np.integer]:
    """Return the labels (n,) of spectral clustering of a symmetric graph (n, n)."""
    from scipy.sparse import csr_matrix
    from sklearn.cluster import SpectralClustering

    model = SpectralClustering(clusters, affinity="precomputed", assign_labels="cluster_qr", random_state=seed)
    with warnings.catch_warnings():  # a graph may fall into parts: that only makes clusters easier to tell
        warnings.filterwarnings("ignore", message="Graph is not fully connected")
        labels: NDArray[np.integer] = model.fit_predict(csr_matrix(graph))
    return labels
