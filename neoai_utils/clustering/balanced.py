"""Clusters of equal size: k-means whose assignment step is a transport problem, solved exactly.

Bradley, Bennett & Demiriz 2000, "Constrained K-Means Clustering" (MSR-TR-2000-65): every centre offers n / k places,
and the pictures are seated so that the sum of squared distances is least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.clustering.discriminant import centres_of

__all__ = ["equal_sizes"]

Array = NDArray[np.float32]


def equal_sizes(vectors: Array, labels: NDArray[np.integer], rounds: int) -> NDArray[np.integer]:
    """Return labels (n,) whose clusters have the same size, or sizes that differ by one if they must.

    Args:
        vectors: (n, width).
        labels: (n,) a clustering to start from.
        rounds: how many times to seat the pictures and move the centres.
    """
    from scipy.optimize import linear_sum_assignment

    for _ in range(rounds):
        centres = centres_of(vectors, labels)
        # |x|^2 is the same for every centre, so it cannot change who sits where
        cost = (centres**2).sum(axis=1) - 2 * vectors @ centres.T
        seats = np.arange(len(vectors)) % len(centres)
        labels = seats[linear_sum_assignment(cost[:, seats])[1]]
    return labels
