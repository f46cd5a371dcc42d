"""Labelled pictures, held out in three parts: each is judged by a network that was fitted without it.

All of them are of weak classes. They show what a recipe learns about these, and nothing about the old classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from neoai_utils.arrays import Integers
from neoai_utils.continual import inference
from neoai_utils.continual.inference import Pixels

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["held_out_logits"]

_PARTS = 3


def held_out_logits(pixels: Pixels, labels: Tensor, fit: Callable[[Integers], TinyVit], *, seed: int = 0) -> Tensor:
    """Return logits of each picture, averaged with the mirrored one's, from a network that was fitted without it.

    Args:
        pixels: (n, 3, side, side) uint8, at least two pictures.
        labels: (n,) their classes; each part holds about the same share of each class. A class with one picture is
            unknown to the network that judges it.
        fit: rows (m,) of the pictures that may be used -> fitted network.
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
    logits = [inference.logits(fit(rest), pixels[out], flip=True) for rest, out in splits]
    order = np.concatenate([out for _, out in splits]).argsort()
    return torch.cat(logits)[order]
