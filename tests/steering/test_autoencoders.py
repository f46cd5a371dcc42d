"""Sparse autoencoders: plain formulas, and the way through a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neoai_utils.errors import DataError
from neoai_utils.steering import autoencoders
from tests.steering.conftest import sparse_states


def test_encode_and_decode_are_the_plain_formulas(sae) -> None:
    x = sparse_states(64, seed=2)
    before = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
    kept = torch.zeros_like(before).scatter(1, before.topk(4).indices, before.topk(4).values)
    assert torch.allclose(sae.encode(x), kept, atol=1e-4)
    assert torch.allclose(sae.decode(kept), kept @ sae.W_dec + sae.b_dec, atol=1e-4)


def test_an_autoencoder_survives_its_folder(sae, tmp_path: Path) -> None:
    sae.save_model(tmp_path)
    back = autoencoders.from_folder(tmp_path)
    held_out = sparse_states(seed=1)
    assert torch.equal(back.encode(held_out), sae.encode(held_out))
    assert torch.equal(back.decode(back.encode(held_out)), sae.decode(sae.encode(held_out)))
    assert back.cfg.metadata.hook_name == "blocks.1.hook_resid_post"


def test_folders_without_an_autoencoder_are_named(sae, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent holds no sparse autoencoder of sae-lens"):
        autoencoders.from_folder(tmp_path / "absent")
    sae.save_model(tmp_path)
    for name in ("sae_weights.safetensors", "cfg.json"):
        (tmp_path / name).write_bytes(b"rubbish")
        with pytest.raises(DataError, match="holds no sparse autoencoder of sae-lens"):
            autoencoders.from_folder(tmp_path)
