"""Logits and features of pictures, in batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.runtime import progress, refuse_nan

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["Pixels", "features", "logits", "normalised"]

Pixels = NDArray[np.uint8] | Tensor
"""Pictures, (n, 3, side, side) uint8 RGB."""


def normalised(pixels: Pixels) -> Tensor:
    """Return uint8 pixels as the network's float32 input: divided by 255, less 0.5."""
    return torch.as_tensor(pixels).float() / 255 - 0.5


def logits(model: TinyVit, pixels: Pixels, *, flip: bool = False, batch_size: int = 256) -> Tensor:
    """Return the logits of pictures.

    Args:
        model: the network; set to evaluation mode.
        pixels: (n, 3, side, side) uint8.
        flip: average the logits with those of the mirrored pictures.
        batch_size: pictures per step.

    Returns:
        (n, classes) float32 on the CPU.

    Raises:
        NotANumberError: the logits hold NaN.
    """

    def forward(images: Tensor) -> Tensor:
        upright: Tensor = model(images)
        return (upright + model(images.flip(3))).cpu() / 2 if flip else upright.cpu()

    outputs = _in_batches(model, pixels, forward, batch_size)
    refuse_nan(outputs, "the logits of the pictures")
    return outputs


def features(model: TinyVit, pixels: Pixels, *, mirrored: bool = False) -> Tensor:
    """Return the input of the head's last linear layer (pooled, layer-normalised), (n, width) float32 on the CPU.

    Args:
        model: the network; set to evaluation mode.
        pixels: (n, 3, side, side) uint8.
        mirrored: read the mirror images instead.
    """

    def forward(images: Tensor) -> Tensor:
        images = images.flip(3) if mirrored else images
        pooled: Tensor = model.forward_head(model.forward_features(images), pre_logits=True)
        return pooled.cpu()

    return _in_batches(model, pixels, forward, 256)


@torch.no_grad()
def _in_batches(model: TinyVit, pixels: Pixels, forward: Callable[[Tensor], Tensor], size: int) -> Tensor:
    model.eval()
    device = next(model.parameters()).device
    starts = progress(range(0, len(pixels), size), "reading pictures")
    return torch.cat([forward(normalised(pixels[start : start + size]).to(device)) for start in starts]).float()
