"""Edits of cross-attention in closed form: the meaning of a text is changed without a training step.

A diffusion model reads its prompt through the keys and values of its cross-attention layers, which are plain matrices.
TIME (Orgad, Kawar and Belinkov 2023, 2303.08084) and UCE (Gandikota et al. 2023, 2308.14761) ask for new matrices that
treat the words of a source prompt as the old ones treat those of a target prompt, and everything else as before:

    minimise over W:  sum_i |W c_i - W0 c*_i|^2 + sum_j |W k_j - W0 k_j|^2 + strength |W - W0|^2

with source states c, target states c*, and states k to keep. TIME has no k and a strength of 0.1 or so, UCE has many k.
The minimum is a ridge regression: one linear system, whose left side all layers share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from neoai_utils.diffusion.texts import paired_states, states
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

__all__ = ["edit", "key_value_projections", "redirect", "solve"]


def key_value_projections(unet: UNet2DConditionModel) -> dict[str, nn.Linear]:
    """Return the key and value projections of all cross-attention layers by name, in the network's order.

    Raises:
        ParameterError: the network has none; self-attention layers (`attn1`) do not read the text.
    """
    projections = {
        name: module
        for name, module in unet.named_modules()
        if isinstance(module, nn.Linear) and name.endswith((".attn2.to_k", ".attn2.to_v"))
    }
    if not projections:
        raise ParameterError("the network has no cross-attention layer with to_k and to_v.")
    return projections


def solve(weight: Tensor, source: Tensor, target: Tensor, keep: Tensor, strength: float) -> Tensor:
    """Return the edited matrix, (out, in).

    Args:
        weight: (out, in) the matrix to edit.
        source: (n, in) states to be treated as `target` is.
        target: (n, in).
        keep: (m, in) states to be treated as before; m may be 0.
        strength: pull towards the old matrix, above 0.

    Raises:
        ParameterError: shapes do not fit, or `strength` is not above 0.
    """
    return _solved(weight, *_sums(weight.shape[1], source, target, keep, strength))


def _sums(width: int, source: Tensor, target: Tensor, keep: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Return the two (in, in) sums of outer products, shared by all layers, in double precision."""
    if source.shape != target.shape or source.shape[1:] != (width,) or keep.shape[1:] != (width,):
        raise ParameterError(
            f"source {tuple(source.shape)}, target {tuple(target.shape)} and keep {tuple(keep.shape)} must be rows of "
            f"width {width}, as many in source as in target."
        )
    if not strength > 0:
        raise ParameterError(f"strength must be above 0, got {strength}: the system would be singular.")
    # double precision: states of one prompt are nearly equal, and the system is ill-conditioned
    c, goal, k = (tensor.double() for tensor in (source, target, keep))
    kept = k.T @ k + strength * torch.eye(width, dtype=k.dtype, device=k.device)
    return kept + c.T @ c, kept + goal.T @ c


def _solved(weight: Tensor, left: Tensor, right: Tensor) -> Tensor:
    solved: Tensor = torch.linalg.solve(left, (weight.double() @ right).T)
    return solved.T.to(weight.dtype)


@torch.no_grad()
def edit(
    unet: UNet2DConditionModel, source: Tensor, target: Tensor, keep: Tensor, strength: float
) -> dict[str, Tensor]:
    """Edit all cross-attention layers in place; return the old matrices by name, to restore them.

    Args:
        unet: of any size and precision.
        source: (n, width of the text) states of the text encoder.
        target: (n, width).
        keep: (m, width).
        strength: see `solve`.
    """
    layers = key_value_projections(unet)
    first = next(iter(layers.values())).weight
    source, target, keep = (tensor.to(first.device) for tensor in (source, target, keep))
    sums = _sums(first.shape[1], source, target, keep, strength)
    old = {}
    for name, layer in layers.items():
        old[name] = layer.weight.detach().clone()
        layer.weight.copy_(_solved(old[name], *sums))
    return old


@torch.no_grad()
def redirect(
    pipe: StableDiffusionPipeline, pairs: Sequence[tuple[str, str]], keep: Sequence[str], strength: float
) -> dict[str, Tensor]:
    """Make the UNet read each source prompt as its target prompt, position by position; return the old matrices.

    The states of 600 prompts to keep, 77 positions of 768 numbers, take 0.3 GB in double precision, those of the pairs
    less; the systems are 768 x 768.

    Args:
        pipe: its UNet is changed in place.
        pairs: (source prompt, target prompt).
        keep: prompts to be read as before, all their positions.
        strength: see `solve`.
    """
    sources, targets = zip(*pairs, strict=True)
    kept = states(pipe, keep).flatten(0, 1) if keep else states(pipe, [""])[0, :0]
    return edit(pipe.unet, *paired_states(pipe, sources, targets), kept, strength)
