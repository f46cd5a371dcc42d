"""Averages of the given and of the fine-tuned network's weights (WiSE-FT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neoai_utils.continual import checkpoint
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["interpolate"]


def interpolate(first: TinyVit, second: TinyVit, share: float) -> TinyVit:
    """Return (1 - share) * first + share * second: WiSE-FT (Wortsman et al. 2022, 2109.01903).

    Raises:
        ParameterError: `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ParameterError(f"share must be between 0 and 1, got {share}.")
    start, end = first.state_dict(), second.state_dict()
    mixed = {
        name: torch.lerp(values, end[name], share) if values.is_floating_point() else end[name]
        for name, values in start.items()
    }
    return checkpoint.clone(first, mixed)
