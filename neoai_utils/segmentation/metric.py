"""The competition's metric: the mean over pictures of intersection over union."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neoai_utils.arrays import Float64, Mask
from neoai_utils.scores import Grades, bootstrap

__all__ = ["grade", "grade_ious", "iou", "ious", "mean_iou"]


def iou(prediction: Mask, truth: Mask) -> float:
    """Return intersection over union of two masks of the same shape (height, width), bool; 1 if both are empty.

    (The official code divides by zero on two empty masks.)
    """
    union = np.count_nonzero(prediction | truth)
    return np.count_nonzero(prediction & truth) / union if union else 1.0


def ious(predictions: Iterable[Mask], truths: Iterable[Mask]) -> Float64:
    """Return every picture's IoU, (pictures,) float64.

    Args:
        predictions: masks (height, width), bool; a generator is consumed one mask at a time.
        truths: the true masks, in the same order and of the same shapes.

    Raises:
        ValueError: there are more predictions than truths, or fewer.
    """
    return np.array([iou(prediction, truth) for prediction, truth in zip(predictions, truths, strict=True)])


def mean_iou(predictions: Iterable[Mask], truths: Iterable[Mask]) -> float:
    """Return the mean of `ious`, which is not the IoU of all pixels together.

    Raises:
        ValueError: there are more predictions than truths, or fewer.
    """
    return float(np.mean(ious(predictions, truths)))


def grade_ious(values: Float64) -> Grades:
    """Return the grades of pictures with these IoUs, (pictures,) float64: the score is their mean, with its draws."""
    draws = bootstrap(lambda counts: float(np.average(values, weights=counts)), len(values))
    return Grades(float(np.mean(values)), draws=draws)


def grade(predictions: Iterable[Mask], truths: Iterable[Mask]) -> Grades:
    """Return the grades of predicted masks: the score is `mean_iou`, there are no parts."""
    return grade_ious(ious(predictions, truths))
