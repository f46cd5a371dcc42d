"""The metric of the competition: accuracy, with macro-F1 beside it.

The competition does not name its metric; the surviving notebooks print both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.arrays import Integers
from neoai_utils.scores import Grades, bootstrap

__all__ = ["LABELS", "grade", "mean_grades"]

LABELS = ("neutral", "positive", "negative")
"""The classes in the order of the model's outputs LABEL_0, LABEL_1, LABEL_2."""


def grade(predictions: Integers, truth: Integers) -> Grades:
    """Return the accuracy, with the part `macro_f1`.

    Args:
        predictions: (texts,) int64 classes, numbers of `LABELS`.
        truth: (texts,) int64, the right classes.
    """
    from sklearn.metrics import f1_score

    macro_f1 = float(f1_score(truth, predictions, average="macro"))
    correct = np.asarray(predictions) == np.asarray(truth)
    draws = bootstrap(lambda counts: float(np.average(correct, weights=counts)), len(correct))
    return Grades(float(correct.mean()), {"macro_f1": macro_f1}, draws)


def mean_grades(grades: Sequence[Grades]) -> Grades:
    """Return the mean of several grades, part by part: the draws of a recipe that has a random part."""
    count = len(grades)
    parts = {name: sum(one.parts[name] for one in grades) / count for name in grades[0].parts}
    draws = [one.draws for one in grades if one.draws is not None]
    return Grades(sum(one.score for one in grades) / count, parts, np.mean(draws, axis=0) if draws else None)
