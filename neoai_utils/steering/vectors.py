"""Steering vectors, and the change that sets latents of a sparse autoencoder by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.steering.hooks import Change

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["clamping", "difference", "from_latents", "rebuilt"]

Features = NDArray[np.floating]


def difference(human: Features, machine: Features) -> Tensor:
    """Return mean(human) - mean(machine) of features (texts, width), float32 (width).

    On hidden states this is contrastive activation addition (Rimsky et al. 2024, arXiv:2312.06681).
    """
    return torch.from_numpy((human.mean(axis=0) - machine.mean(axis=0)).astype(np.float32))


def from_latents(rows: Tensor, delta: Tensor, latents: Sequence[int] | NDArray[np.integer]) -> Tensor:
    """Return the sum of the chosen decoder rows (latents, width), each times its own difference of means (latents)."""
    chosen = torch.as_tensor(np.asarray(latents))
    total: Tensor = delta[chosen].to(rows) @ rows[chosen]
    return total


def rebuilt(vector: Tensor, rows: Tensor, latents: Sequence[int] | NDArray[np.integer]) -> Tensor:
    """Return the part of `vector` (width) that the chosen decoder rows can express, at the vector's own length.

    Least squares over the chosen rows; what they cannot express is left out as noise (Zhao et al. 2025,
    "Denoising concept vectors with sparse autoencoders", arXiv:2505.15038).
    """
    chosen = rows[torch.as_tensor(np.asarray(latents))].detach().double()
    weights = torch.linalg.lstsq(chosen.T, vector.double()[:, None]).solution[:, 0]
    found = weights @ chosen
    scaled: Tensor = found * vector.double().norm() / found.norm().clamp(min=1e-12)
    return scaled.to(vector)


def clamping(sae: SAE[Any], values: Mapping[int, float]) -> Change:
    """Return the change that sets latents to values, 0 switches one off.

    What the SAE cannot express stays: only the difference between the two decodings is added (Templeton et al. 2024,
    "Scaling Monosemanticity").
    """
    latents = torch.tensor(list(values))
    wanted = torch.tensor([float(value) for value in values.values()])

    def change(hidden: Tensor) -> Tensor:
        with torch.no_grad():
            found = sae.encode(hidden.to(sae.dtype))
            step = (wanted.to(found) - found[..., latents]) @ sae.W_dec[latents]
        changed: Tensor = hidden + step.to(hidden)
        return changed

    return change
