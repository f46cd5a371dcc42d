"""The committed autoencoders, and the recipe that made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neoai_utils.errors import AssetError
from neoai_utils.steering.miniature import autoencoder
from neoai_utils.weights import Store, recipe_checksum
from tests.steering.conftest import sparse_states


def test_the_committed_autoencoders_are_those_of_the_recipe() -> None:
    manifest, recipe = autoencoder.STORE.manifest(), autoencoder.AutoencoderRecipe()
    assert manifest["recipe_checksum"] == recipe_checksum(recipe)
    assert list(manifest["sha256"]) == [str(layer) for layer in recipe.layers]
    assert autoencoder.checksums() == tuple(manifest["sha256"].values())
    sae = autoencoder.committed(recipe.layers[0])
    assert sae.W_enc.shape == (576, recipe.latents)
    assert sae.W_dec.shape == (recipe.latents, 576)
    assert sae.cfg.k == recipe.active
    assert sae.cfg.metadata.hook_name == f"blocks.{recipe.layers[0]}.hook_resid_post"
    assert manifest["parameters"]["16"] == sum(values.numel() for values in sae.state_dict().values())
    assert all(share > 0.7 for share in manifest["explained"].values())


def test_absent_and_damaged_autoencoders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssetError, match="names no '3', only 16"):
        autoencoder.committed(3)
    manifest = (autoencoder.STORE.folder / autoencoder.STORE.name).read_bytes()
    monkeypatch.setattr(autoencoder, "STORE", Store(tmp_path, "autoencoders.json", "autoencoder{part}.safetensors"))
    with pytest.raises(AssetError, match="autoencoders.json is missing or damaged: install neoai again"):
        autoencoder.committed(16)
    (tmp_path / "autoencoders.json").write_bytes(manifest)
    with pytest.raises(AssetError, match="autoencoder16.safetensors is missing or damaged"):
        autoencoder.committed(16)


def test_the_recipe_still_makes_such_an_autoencoder() -> None:
    """A few steps at the real width: same shapes and names as the committed one, and more variance with more steps."""
    rng = torch.Generator().manual_seed(0)
    activations = torch.rand(2000, 200, generator=rng) * (torch.rand(2000, 200, generator=rng) < 0.05)
    states = activations @ torch.randn(200, 576, generator=rng)
    recipe = replace(autoencoder.AutoencoderRecipe(), batch=256)
    saes = [autoencoder.train(states, replace(recipe, steps=steps), 16) for steps in (3, 40)]
    shares = [autoencoder.explained(sae, states) for sae in saes]
    assert shares[1] > shares[0] + 0.1
    committed = autoencoder.committed(16)
    assert {n: v.shape for n, v in saes[1].state_dict().items()} == {
        n: v.shape for n, v in committed.state_dict().items()
    }
    config = autoencoder.STORE.manifest()["config"]
    made = saes[1].cfg.to_dict()
    assert {name: made[name] for name in config} == config


def test_an_autoencoder_learns(sae) -> None:
    held_out = sparse_states(seed=1)
    assert autoencoder.explained(sae, held_out) > 0.6
    assert (sae.encode(held_out) > 0).sum(1).float().mean() <= 4


def test_positions_are_all_but_the_first(writer, sentences) -> None:
    texts = sentences(7)
    states = autoencoder.positions(writer, texts, [0, 1], batch=3)
    rows = []
    for text in sorted(texts, key=len):
        ids = torch.tensor([writer.tokenizer.encode(text)])
        with torch.inference_mode():
            rows.append(writer.model(ids, output_hidden_states=True).hidden_states[2][0, 1:])
    assert states[1].dtype == torch.float16
    assert len(states[1]) == sum(map(len, rows)) == len(states[0])
    assert torch.allclose(states[1].float().sum(0), torch.cat(rows).sum(0), atol=0.2)
