"""Random changes of the training pictures: mirroring, contrast, brightness, and small affine changes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["augment", "deform"]

_TURN = 0.2  # greatest angle in radians
_ZOOM = 0.15  # greatest relative change of either side's length; the shift reaches half as far


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures, each mirrored or not, with a little other contrast and brightness.

    Args:
        images: (n, 3, side, side) float32, centred at 0.
        generator: of the random numbers, on the CPU: they are the same for all devices.
    """
    flipped = (torch.rand(len(images), generator=generator) < 0.5).to(images.device)
    images = torch.where(flipped[:, None, None, None], images.flip(3), images)
    contrast, brightness = (torch.rand(2, len(images), 1, 1, 1, generator=generator) - 0.5).to(images.device)
    return torch.add(images * (1 + 0.4 * contrast), brightness, alpha=0.2)


def deform(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return pictures, each turned, zoomed along both axes and shifted a little.

    Args:
        images: (n, channels, side, side) float32; pixels from outside repeat the border.
        generator: of the random numbers, on the CPU.
    """
    drawn = (2 * torch.rand(5, len(images), generator=generator) - 1) * _TURN
    angle, across, down, right, low = drawn.to(images.device)
    reach = _ZOOM / _TURN
    across, down, right, low = 1 + reach * across, 1 + reach * down, reach * right / 2, reach * low / 2
    first = torch.stack([across * angle.cos(), -across * angle.sin(), right], dim=1)
    second = torch.stack([down * angle.sin(), down * angle.cos(), low], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
