"""Self-labelling: answers for many pictures at once, under the assumption that the classes are equally frequent.

A network that has seen pictures of some classes only gives these too often. If a large unlabelled set holds every class
equally often, the answers can be brought to that balance: rows (pictures) and columns (classes) of the probabilities
are scaled in turns (Sinkhorn and Knopp 1967) until each picture has one answer to give and each class gets its share.
Training on such balanced answers is self-labelling by optimal transport (Asano et al. 2020, 1911.05371).
"""

from __future__ import annotations

import torch
from torch import Tensor

from neoai_utils.errors import ParameterError

__all__ = ["balance", "confident"]


def balance(logits: Tensor, power: float = 1.0, rounds: int = 100) -> Tensor:
    """Return probabilities (n, classes) that sum to 1 for each picture and to n / classes for each class.

    Args:
        logits: (n, classes) float32.
        power: below 1 softens the probabilities before they are balanced.
        rounds: scalings of columns and rows; the last one is of the rows.

    Raises:
        ParameterError: `power` or `rounds` is not positive, or the logits hold NaN.
    """
    if power <= 0 or rounds < 1:
        raise ParameterError(f"power and rounds must be positive, got {power} and {rounds}.")
    if bool(logits.isnan().any()):
        raise ParameterError("the logits hold NaN: the training before this has diverged; lower its rate.")
    logs = logits.double().log_softmax(dim=1) * power
    target = torch.tensor(len(logits) / logits.shape[1]).log()
    for _ in range(rounds):
        logs = logs - logs.logsumexp(dim=0, keepdim=True) + target
        logs = logs - logs.logsumexp(dim=1, keepdim=True)
    return logs.exp().float()


def confident(probabilities: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Return the places (kept,) of the rows whose highest probability exceeds a threshold, and their classes (kept,).

    Args:
        probabilities: (n, classes).
        threshold: 0 keeps every row.
    """
    highest, classes = probabilities.max(dim=1)
    places = torch.nonzero(highest > threshold).flatten()
    return places, classes[places]
