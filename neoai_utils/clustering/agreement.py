"""How far a clustering can be trusted, asked of the pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["agreement", "consensus"]

Labels = NDArray[np.integer]


def agreement(labelings: Sequence[Labels]) -> float:
    """Return the mean adjusted Rand index between any two of several labellings (n,) of the same pictures."""
    from sklearn.metrics import adjusted_rand_score

    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(labelings, 2)]))


def consensus(labelings: Sequence[Labels]) -> NDArray[np.float32]:
    """Return unit rows in which two pictures are the closer, the more labellings put them together.

    The product of two rows is the share of labellings that agree on the pair: the co-association matrix of evidence
    accumulation (Fred & Jain 2005, IEEE TPAMI 27(6)), without forming its n x n numbers.

    Returns:
        (n, clusters of all labellings together) float32.
    """
    marks = [np.eye(labels.max() + 1, dtype=np.float32)[labels] for labels in labelings]
    return np.concatenate(marks, axis=1) / np.float32(np.sqrt(len(labelings)))
