"""The competition's metric: the mean over pictures of intersection over union."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from neoai_utils.arrays import Float64, Mask
from neoai_utils.scores import Grades, standard_error

__all__ = ["grade", "iou", "ious", "mean_iou", "paired_gain"]


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


def paired_gain(new: Float64, old: Float64) -> tuple[float, float]:
    """Return the mean gain of `new` over `old`, scores of the same pictures (pictures,), and its standard error.

    The error is that of the differences: what makes a picture hard for both cancels. It is infinite for one picture.
    """
    gains = np.asarray(new) - np.asarray(old)
    error = float(np.std(gains, ddof=1)) / math.sqrt(len(gains)) if len(gains) > 1 else math.inf
    return float(np.mean(gains)), error


def grade(predictions: Iterable[Mask], truths: Iterable[Mask]) -> Grades:
    """Return the grades of predicted masks: the score is `mean_iou`, there are no parts."""
    values = ious(predictions, truths)
    error = standard_error(lambda counts: float(np.average(values, weights=counts)), len(values))
    return Grades(float(np.mean(values)), error=error)
