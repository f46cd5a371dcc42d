"""One number per class, added to its logits, so that a set of pictures spreads evenly over the classes.

A network that was fitted to pictures of some classes predicts these too often. If an unlabelled set holds every class
about equally often, the predictions can be balanced: rows (pictures) and columns (classes) of the table of
probabilities are scaled in turns (Sinkhorn and Knopp 1967) until each row sums to 1 and each class gets its share. In
logarithms, scaling a column adds one number to the class's logits.

Where the classes are not equally frequent, this does harm: predictions of frequent classes are moved to rare ones
(Veilleux et al. 2021, 2204.11181). So the evenness is a parameter, and the teacher's agreement (`agreement`) chooses.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neoai_utils.errors import ParameterError

__all__ = ["class_offsets", "class_shares"]

_ROUNDS = 100  # scalings of the columns; after each one the rows sum to 1 again


def class_shares(logits: Tensor) -> Tensor:
    """Return the mean probability of each class over the pictures, (classes,) float64; they sum to 1.

    Args:
        logits: (n, classes) float32.
    """
    return logits.double().softmax(dim=1).mean(dim=0)


def class_offsets(logits: Tensor, evenness: float = 1.0) -> Tensor:
    """Return what to add to each class's logits, so that the mean probabilities of the classes become more even.

    Args:
        logits: (n, classes) float32.
        evenness: 1 gives all classes the same mean probability, 0 leaves them as they are. Between, the logarithms of
            the mean probabilities go that share of the way.

    Returns:
        (classes,) float32.

    Raises:
        ParameterError: the evenness is not between 0 and 1, or the logits hold NaN.
    """
    if not 0 <= evenness <= 1:
        raise ParameterError(f"evenness must be between 0 and 1, got {evenness}.")
    if bool(logits.isnan().any()):
        raise ParameterError("the logits hold NaN: the training has diverged; lower its learning rate.")
    logs = logits.double().log_softmax(dim=1)
    goal = ((1 - evenness) * _log_means(logs)).log_softmax(dim=0)
    offsets = torch.zeros_like(goal)
    for _ in range(_ROUNDS):
        offsets += goal - _log_means((logs + offsets).log_softmax(dim=1))
    return offsets.float()


def _log_means(logs: Tensor) -> Tensor:
    """Return the logarithm of each column's mean, (classes,), of (n, classes) logarithms."""
    return logs.logsumexp(dim=0) - math.log(len(logs))
