"""Labelled pictures, held out in three parts: each is judged by a network that was fitted without it.

All of them are of weak classes. They show what a recipe learns about these, and nothing about the old classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from neoai_utils.arrays import Integers

__all__ = ["held_out_logits"]

_PARTS = 3


def held_out_logits(labels: Tensor, judge: Callable[[Integers, Integers], Tensor], *, seed: int = 0) -> Tensor:
    """Return logits of each labelled picture from a network that was fitted without it.

    Args:
        labels: (n,) classes of at least two pictures; each part holds about the same share of each class. A class with
            one picture is unknown to the network that judges it.
        judge: rows (m,) of the pictures that may be used, rows (k,) of the others -> logits (k, classes) of the others.
        seed: shuffles the pictures into parts.

    Returns:
        (n, classes) float32.
    """
    most = int(torch.bincount(labels).max())
    kind = StratifiedKFold if most >= _PARTS else KFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes with fewer pictures than parts
        parts = kind(min(_PARTS, len(labels)), shuffle=True, random_state=seed)
        splits = list(parts.split(np.zeros(len(labels)), labels.numpy()))
    logits = [judge(rest, out) for rest, out in splits]
    order = np.concatenate([out for _, out in splits]).argsort()
    return torch.cat(logits)[order]
