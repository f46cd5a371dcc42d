"""Clusters of equal size: k-means with an exact, balanced assignment step.

Bradley, Bennett & Demiriz 2000, "Constrained K-Means Clustering" (MSR-TR-2000-65): every centroid has the capacity
n / k, and the assignment with the least sum of squared distances is found as a linear assignment problem.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32
from neoai_utils.clustering.discriminant import centroids

__all__ = ["equal_sizes"]


def equal_sizes(vectors: Float32, labels: NDArray[np.integer], rounds: int) -> NDArray[np.integer]:
    """Return labels (n) whose clusters have the same size, or sizes that differ by one if they must.

    Args:
        vectors: (n, width).
        labels: (n), the clustering to start from.
        rounds: of assignment and moving the centroids.
    """
    from scipy.optimize import linear_sum_assignment

    for _ in range(rounds):
        centres = centroids(vectors, labels)
        # |x|^2 is the same for every centroid, so it cannot change the assignment
        cost = (centres**2).sum(axis=1) - 2 * vectors @ centres.T
        slots = np.arange(len(vectors)) % len(centres)
        labels = slots[linear_sum_assignment(cost[:, slots])[1]]
    return labels
