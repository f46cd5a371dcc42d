"""The committed networks: what their manifest says, and what is refused."""

from __future__ import annotations

import pytest
import torch

from neoai_utils import weights
from neoai_utils.diffusion.miniature import committed, networks
from neoai_utils.errors import AssetError
from neoai_utils.storage import sha256_of


def test_the_committed_networks_are_the_recipes():
    manifest = committed.STORE.manifest()
    assert committed.recipe() == networks.NetworkRecipe()
    assert manifest["recipe_checksum"] == weights.recipe_checksum(networks.NetworkRecipe())
    assert set(manifest["sha256"]) == set(networks.NETWORKS)
    for network, checksum in manifest["sha256"].items():
        path = committed.STORE.path(network)
        assert sha256_of(path) == checksum
        assert path.stat().st_size < 8 * 2**20
    pipe = committed.pipeline()
    models = {"text": pipe.text_encoder, "vae": pipe.vae, "unet": pipe.unet}
    for network, model in models.items():
        assert sum(values.numel() for values in model.parameters()) == manifest["parameters"][network]


def test_a_damaged_network_is_not_loaded(monkeypatch):
    monkeypatch.setattr(weights, "sha256_of", lambda _path: "0" * 64)
    with pytest.raises(AssetError, match="damaged"):
        committed.pipeline()


def test_weights_fit_the_names_of_either_transformers():
    state = {"embeddings.weight": torch.zeros(1)}
    old, new = torch.nn.Module(), torch.nn.Module()
    old.text_model, new.embeddings = torch.nn.Module(), torch.nn.Linear(1, 1, bias=False)
    old.text_model.embeddings = torch.nn.Linear(1, 1, bias=False)
    prefixed = committed.text_encoder_names(old, state)
    assert set(prefixed) == set(old.state_dict())
    assert (
        set(committed.text_encoder_names(new, prefixed))
        == set(committed.text_encoder_names(new, state))
        == set(new.state_dict())
    )
