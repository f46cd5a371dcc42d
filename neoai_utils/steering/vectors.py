"""Steering vectors, and the change that sets latents of a sparse autoencoder to given values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.arrays import Float32
from neoai_utils.steering.hooks import Change

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["clamping", "difference", "from_latents", "rebuilt"]


def difference(human: Float32, machine: Float32) -> Tensor:
    """Return mean(human) - mean(machine) of features (texts, width), float32 (width).

    On hidden states this is contrastive activation addition (Rimsky et al. 2024, arXiv:2312.06681).
    """
    return torch.from_numpy((human.mean(axis=0) - machine.mean(axis=0)).astype(np.float32))


def from_latents(rows: Tensor, delta: Tensor, latents: Sequence[int] | NDArray[np.integer]) -> Tensor:
    """Return the sum of the selected decoder rows, each times its difference of means, (width).

    Args:
        rows: (latents, width), the decoder.
        delta: (latents), the differences of means.
        latents: indices of the selected rows.
    """
    selected = torch.as_tensor(np.asarray(latents))
    total: Tensor = delta[selected].to(rows) @ rows[selected]
    return total


def rebuilt(vector: Tensor, rows: Tensor, latents: Sequence[int] | NDArray[np.integer]) -> Tensor:
    """Return the projection of a vector on the selected decoder rows, scaled to the vector's length, (width).

    Least squares over the selected rows; the residual is dropped as noise (Zhao et al. 2025, "Denoising concept vectors
    with sparse autoencoders", arXiv:2505.15038).

    Args:
        vector: (width).
        rows: (latents, width), the decoder.
        latents: indices of the selected rows.
    """
    selected = rows[torch.as_tensor(np.asarray(latents))].detach().double()
    weights = torch.linalg.lstsq(selected.T, vector.double()[:, None]).solution[:, 0]
    projection = weights @ selected
    scaled: Tensor = projection * vector.double().norm() / projection.norm().clamp(min=1e-12)
    return scaled.to(vector)


def clamping(sae: SAE[Any], values: Mapping[int, float]) -> Change:
    """Return the change that sets latents (index -> value) to given activations; 0 switches a latent off.

    The SAE's reconstruction error is preserved: only the difference between the two decodings is added (Templeton et
    al. 2024, "Scaling Monosemanticity").
    """
    latents = torch.tensor(list(values))
    targets = torch.tensor([float(value) for value in values.values()])

    def change(hidden: Tensor) -> Tensor:
        with torch.no_grad():
            activations = sae.encode(hidden.to(sae.dtype))
            step = (targets.to(activations) - activations[..., latents]) @ sae.W_dec[latents]
        changed: Tensor = hidden + step.to(hidden)
        return changed

    return change
