"""A closed-form edit that changes nothing for the texts to keep: the null space of their states (SPEED).

`closed_form` weighs two sums of squares against each other, so every text to keep changes a little. SPEED (Li et al.
2025, 2503.07392) allows only changes of the form D N^T, where the columns of N are directions in which the states to
keep have no extent. Then W k = W0 k for these states, however far the source texts are moved:

    minimise over D:  sum_i |(W0 + D N^T) c_i - W0 c*_i|^2 + strength |D|^2

Many different states leave no such direction. In practice N holds the directions with the smallest share of the
states' sum of squares. The paper's choice and augmentation of the texts to keep is not used here: our list is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neoai_utils.diffusion.closed_form import key_value_projections
from neoai_utils.diffusion.texts import paired_states, states
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["null_space", "redirect", "solve"]


def null_space(keep: Tensor, share: float) -> Tensor:
    """Return (width, r) float64 orthonormal directions which together hold at most a share of the sum of squares.

    Args:
        keep: (m, width) states to be treated as before.
        share: of the sum of squares of `keep`, from 0 to below 1.

    Raises:
        ParameterError: `share` is out of range, or every single direction holds more.
    """
    if not 0 <= share < 1:
        raise ParameterError(f"share must lie between 0 and 1, got {share}.")
    rows = keep.double()
    values, vectors = torch.linalg.eigh(rows.T @ rows)  # ascending
    spare = values.clamp(min=0).cumsum(0) <= (share + 1e-12) * values.sum()
    if not spare.any():
        raise ParameterError(f"no direction holds at most {share:g} of the states to keep; give a larger share.")
    directions: Tensor = vectors[:, spare]
    return directions


def solve(weight: Tensor, source: Tensor, target: Tensor, directions: Tensor, strength: float) -> Tensor:
    """Return the edited matrix, (out, in), which differs from the old one in the given directions only.

    Args:
        weight: (out, in) the matrix to edit.
        source: (n, in) states to be treated as `target` is.
        target: (n, in).
        directions: (in, r) orthonormal columns, from `null_space`.
        strength: pull towards the old matrix, above 0.

    Raises:
        ParameterError: `strength` is not above 0.
    """
    return _edited(weight, _change(source, target, directions, strength))


def _change(source: Tensor, target: Tensor, directions: Tensor, strength: float) -> Tensor:
    """Return the (in, in) matrix M, the same for all layers, with which a layer's new weight is W0 (1 + M)."""
    if not strength > 0:
        raise ParameterError(f"strength must be above 0, got {strength}: the system would be singular.")
    inside = source.double() @ directions
    left = inside.T @ inside + strength * torch.eye(inside.shape[1], dtype=inside.dtype, device=inside.device)
    right = (target.double() - source.double()).T @ inside
    change: Tensor = torch.linalg.solve(left, right.T).T @ directions.T
    return change


def _edited(weight: Tensor, change: Tensor) -> Tensor:
    old = weight.double()
    return (old + old @ change).to(weight.dtype)


@torch.no_grad()
def redirect(
    pipe: StableDiffusionPipeline,
    pairs: Sequence[tuple[str, str]],
    keep: Sequence[str],
    strength: float,
    share: float,
) -> dict[str, Tensor]:
    """Make the UNet read each source prompt as its target prompt, position by position; return the old matrices.

    Args:
        pipe: its UNet is changed in place.
        pairs: (source prompt, target prompt).
        keep: prompts to be read as before, all their positions; at least one.
        strength: see `solve`.
        share: see `null_space`.
    """
    source, target = paired_states(pipe, *zip(*pairs, strict=True))
    directions = null_space(states(pipe, keep).flatten(0, 1), share)
    layers = key_value_projections(pipe.unet)
    device = next(iter(layers.values())).weight.device
    source, target, directions = (part.to(device) for part in (source, target, directions))
    change = _change(source, target, directions, strength)
    old = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    for name, layer in layers.items():
        layer.weight.copy_(_edited(old[name], change))
    return old
