"""Sparse autoencoders (SAEs) of the writer's hidden states, read by sae-lens from the hub or from a folder.

An SAE writes a hidden state as a sum of a few rows of a large dictionary: `encode` gives the activation of each latent,
`decode` sums the rows `W_dec`. The competition's are Gemma Scope (Lieberum et al. 2024, arXiv:2408.05147).
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils.errors import DataError
from neoai_utils.offline.checkpoints import need

if TYPE_CHECKING:
    from sae_lens import SAE

__all__ = ["from_folder", "from_hub", "import_sae_lens"]


def import_sae_lens() -> Any:
    """Return the module sae_lens with its log messages silenced; importing it takes some seconds.

    Raises:
        AssetError: sae-lens is not installed.
    """
    need("sae_lens", purpose="reading the writer's sparse autoencoders")
    os.environ.setdefault("WANDB_MODE", "disabled")
    os.environ.setdefault("WANDB_SILENT", "true")
    import sae_lens

    logging.getLogger("sae_lens").setLevel(logging.ERROR)
    return sae_lens


def from_hub(release: str, name: str, device: str) -> SAE[Any]:
    """Return an SAE of the hub in float32, such as gemma-scope-2b-pt-res-canonical, layer_16/width_16k/canonical."""
    sae: SAE[Any] = import_sae_lens().SAE.from_pretrained(release, name, device=device, dtype="float32")
    return sae


def from_folder(folder: Path, device: str = "cpu") -> SAE[Any]:
    """Return an SAE that sae-lens saved in a folder (`cfg.json`, `sae_weights.safetensors`), on a device.

    Raises:
        DataError: a file is missing or damaged.
    """
    from safetensors import SafetensorError

    try:
        sae: SAE[Any] = import_sae_lens().SAE.load_from_disk(folder, device=device).eval()
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise DataError(f"{folder} holds no sparse autoencoder of sae-lens: {error}. Build it again.") from error
    return sae
