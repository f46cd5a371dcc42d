"""The competition's metric: the adjusted Rand index (Hubert & Arabie 1985, "Comparing partitions")."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.scores import Grades, bootstrap

__all__ = ["grade"]


def grade(truth: NDArray[np.integer], labels: NDArray[np.integer]) -> Grades:
    """Return the adjusted Rand index, and the normalised mutual information as the part `nmi`.

    Both compare which pictures are in one cluster, so the numbers of the clusters do not matter.

    Args:
        truth: (n), the source of each picture.
        labels: (n), the cluster of each picture.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    def rand(counts: NDArray[np.int64]) -> float:
        return float(adjusted_rand_score(np.repeat(truth, counts), np.repeat(labels, counts)))

    nmi = float(normalized_mutual_info_score(truth, labels))
    score = float(adjusted_rand_score(truth, labels))
    return Grades(score, {"nmi": nmi}, bootstrap(rand, len(truth)))
