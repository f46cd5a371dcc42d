"""Self-labelling: predictions for many pictures at once, under the assumption that the classes are equally frequent.

A network that was fine-tuned on pictures of some classes predicts these too often. If a large unlabelled set holds
every class equally often, the predictions can be balanced: rows (pictures) and columns (classes) of the probabilities
are scaled in turns (Sinkhorn and Knopp 1967) until each row sums to 1 and each class gets its share. Training on such
balanced predictions is self-labelling by optimal transport (Asano et al. 2020, 1911.05371).
"""

from __future__ import annotations

import torch
from torch import Tensor

from neoai_utils.errors import ParameterError

__all__ = ["balance", "confident"]

_ROUNDS = 100  # scalings of columns and rows; the last one is of the rows


def balance(logits: Tensor, power: float = 1.0) -> Tensor:
    """Return probabilities that sum to 1 for each picture and to n / classes for each class.

    Args:
        logits: (n, classes) float32.
        power: below 1 softens the probabilities before they are balanced.

    Returns:
        (n, classes) float32.

    Raises:
        ParameterError: `power` is not positive, or the logits hold NaN.
    """
    if power <= 0:
        raise ParameterError(f"power must be positive, got {power}.")
    if bool(logits.isnan().any()):
        raise ParameterError("the logits hold NaN: the training has diverged; lower its learning rate.")
    logs = logits.double().log_softmax(dim=1) * power
    target = torch.tensor(len(logits) / logits.shape[1]).log()
    for _ in range(_ROUNDS):
        logs = logs - logs.logsumexp(dim=0, keepdim=True) + target
        logs = logs - logs.logsumexp(dim=1, keepdim=True)
    return logs.exp().float()


def confident(probabilities: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the rows whose highest probability exceeds a threshold, and their classes.

    Args:
        probabilities: (n, classes).
        threshold: 0 keeps every row.

    Returns:
        (kept,) int64 indices of the rows; (kept,) int64 classes.
    """
    highest, classes = probabilities.max(dim=1)
    indices = torch.nonzero(highest > threshold).flatten()
    return indices, classes[indices]
