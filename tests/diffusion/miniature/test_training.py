"""The recipe still trains such networks: losses fall, and what is written is read back."""

from __future__ import annotations

import dataclasses

import torch

from neoai_utils.diffusion.miniature import committed, networks, training
from neoai_utils.weights import Store, recipe_checksum
from tests.diffusion.conftest import SMALL


def test_the_recipe_still_makes_such_networks(tmp_path, monkeypatch):
    monkeypatch.setattr(committed, "STORE", Store(tmp_path, "networks.json"))
    recipe = dataclasses.replace(SMALL, pictures=96, judge_epochs=4, text_epochs=4)
    for network in networks.NETWORKS:
        training.make(network, recipe, torch.device("cpu"))
    manifest = committed.STORE.manifest()
    assert committed.recipe() == recipe
    assert manifest["recipe_checksum"] == recipe_checksum(recipe)
    for network in ("judge", "text"):
        assert manifest["losses"][network][-1] < manifest["losses"][network][0]
    assert set(manifest["sha256"]) == set(networks.NETWORKS)
    assert committed.pipeline().unet.config.block_out_channels == recipe.unet_widths


def test_autoencoder_and_network_learn():
    pixels, _ = training.draw_pictures(SMALL, "vae")
    losses = training.train_autoencoder(networks.make_autoencoder(SMALL), pixels, SMALL, every=10)
    assert losses[-1] < 0.9 * losses[0]
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn((8, SMALL.latent_channels, 8, 8), generator=generator)
    states = torch.randn((3, SMALL.max_length, SMALL.text[0]), generator=generator)
    captions = torch.ones((8, 2), dtype=torch.long)
    losses = training.train_unet(networks.make_unet(SMALL), latents, states, captions, SMALL, every=10)
    assert losses[-1] < losses[0]
