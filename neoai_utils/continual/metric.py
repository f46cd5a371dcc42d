"""The competition's metric: accuracy over all test pictures, higher is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Mask
from neoai_utils.scores import Grades, bootstrap

__all__ = ["grade"]


def grade(predictions: NDArray[np.integer], classes: NDArray[np.integer], weak: Mask) -> Grades:
    """Grade predicted classes.

    Args:
        predictions: (n,) predicted classes.
        classes: (n,) true classes.
        weak: (n,) True where the true class is weak; both kinds must occur.

    Returns:
        The accuracy as the score; the accuracy on `old` and on `weak` pictures and the `mean` of the two as parts.
    """
    correct = np.asarray(predictions) == np.asarray(classes)
    old_part, weak_part = float(correct[~weak].mean()), float(correct[weak].mean())
    draws = bootstrap(lambda counts: float(np.average(correct, weights=counts)), len(correct))
    return Grades(
        float(correct.mean()), {"old": old_part, "weak": weak_part, "mean": (old_part + weak_part) / 2}, draws
    )
