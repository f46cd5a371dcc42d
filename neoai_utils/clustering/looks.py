"""Vectors of the same pictures in several looks, and in two halves of the looks that share none.

What holds for one half and not for the other is an error: a picture's source does not depend on how it is turned. So
the agreement of two clusterings, each made from one half, measures a method without labels (stability as a criterion:
Lange, Roth, Braun & Buhmann 2004, "Stability-based validation of clustering solutions", Neural Computation 16).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32
from neoai_utils.clustering import metric
from neoai_utils.clustering.vectors import unit
from neoai_utils.scores import Grades

__all__ = ["Looks", "join"]


@dataclass(frozen=True)
class Looks:
    """One description of all pictures, (n, width), and the same from two halves of their looks.

    Attributes:
        whole: made from all looks.
        halves: each made from half of the looks.
    """

    whole: Float32
    halves: tuple[Float32, Float32]

    @classmethod
    def of(cls, views: Sequence[Float32]) -> Looks:
        """Average two or more looks, (n, width) each, to unit rows; the halves are the even and the odd ones."""
        whole, even, odd = (unit(np.mean(part, axis=0)) for part in (views, views[::2], views[1::2]))
        return cls(whole, (even, odd))

    def agreement(self, cluster: Callable[[Float32], NDArray[np.integer]]) -> Grades:
        """Cluster both halves, each without the other, and return how far the two clusterings agree.

        Args:
            cluster: vectors (n, width) -> labels (n).

        Returns:
            The adjusted Rand index of the two, with the draws of its standard error over pictures.
        """
        one, other = (cluster(half) for half in self.halves)
        return metric.grade(one, other)


def join(first: Looks, second: Looks) -> Looks:
    """Put two descriptions of the same pictures side by side, such as those of two networks; both count the same."""
    pairs = zip((first.whole, *first.halves), (second.whole, *second.halves), strict=True)
    whole, even, odd = (np.concatenate(pair, axis=1) / np.float32(np.sqrt(2)) for pair in pairs)
    return Looks(whole, (even, odd))
