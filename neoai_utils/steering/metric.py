"""The competition's metric: the share of texts that the detector takes for human and that keep their content.

`score = mean(low < detector < high and cosine > 0.65)`, where the cosine compares the sentence vectors of a text and
its reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Mask
from neoai_utils.scores import Grades, bootstrap

__all__ = ["MIN_COSINE", "Window", "grade"]

MIN_COSINE = 0.65


@dataclass(frozen=True)
class Window:
    """The detector's scores that count as human: low < score < high (-2 and 2 in the competition).

    Attributes:
        low: the lower bound, excluded.
        high: the upper bound, excluded.
    """

    low: float
    high: float

    def contains(self, scores: NDArray[np.floating]) -> Mask:
        """Return for each score, (n), whether it lies inside."""
        inside: Mask = (self.low < scores) & (scores < self.high)
        return inside


def grade(scores: NDArray[np.floating], cosines: NDArray[np.floating], window: Window) -> Grades:
    """Return the metric, and each of its two conditions alone as the parts `window` and `content`.

    Args:
        scores: (n) of the detector.
        cosines: (n) between the references and the texts.
        window: the human window.
    """
    inside, kept = window.contains(scores), cosines > MIN_COSINE
    both = inside & kept
    draws = bootstrap(lambda counts: float(np.average(both, weights=counts)), len(both))
    return Grades(float(both.mean()), {"window": float(inside.mean()), "content": float(kept.mean())}, draws)
