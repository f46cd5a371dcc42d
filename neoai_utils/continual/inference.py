"""From pictures to logits and features, in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.runtime import refuse_nan

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["features", "logits", "normalised"]

Pixels = NDArray[np.uint8] | Tensor


def normalised(pixels: Pixels) -> Tensor:
    """Return uint8 pixels as the network reads them: divided by 255, less 0.5."""
    return torch.as_tensor(pixels).float() / 255 - 0.5


@torch.no_grad()
def logits(model: TinyVit, pixels: Pixels, *, flip: bool = False, batch: int = 256) -> Tensor:
    """Return the logits of pictures, on the CPU.

    Args:
        model: the network; read in evaluation mode.
        pixels: (n, 3, side, side) uint8.
        flip: average the logits with those of the mirrored pictures.
        batch: pictures per step.

    Returns:
        (n, classes) float32.
    """
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for start in range(0, len(pixels), batch):
        images = normalised(pixels[start : start + batch]).to(device)
        found = model(images)
        parts.append((found + model(images.flip(3))).cpu() / 2 if flip else found.cpu())
    found = torch.cat(parts).float()
    refuse_nan(found, "the logits of the pictures")
    return found


@torch.no_grad()
def features(model: TinyVit, pixels: Pixels, *, batch: int = 256) -> Tensor:
    """Return what the head's last linear layer reads: pooled, layer-normalised, (n, width) float32 on the CPU."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    for start in range(0, len(pixels), batch):
        maps = model.forward_features(normalised(pixels[start : start + batch]).to(device))
        parts.append(model.forward_head(maps, pre_logits=True).cpu())
    return torch.cat(parts).float()
