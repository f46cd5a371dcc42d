"""The small CLIP: the committed weights are the recipe's, and the recipe still trains."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from neoai_utils.errors import AssetError
from neoai_utils.segmentation.miniature import clip_training
from neoai_utils.storage import sha256_of
from neoai_utils.weights import recipe_checksum

WEIGHTS = clip_training.STORE.path("clip")


def test_the_committed_model_is_the_recipes():
    facts = clip_training.STORE.manifest()
    recipe = clip_training.committed_recipe()
    assert recipe == clip_training.TrainingRecipe()
    assert facts["recipe_checksum"] == recipe_checksum(recipe)
    assert facts["sha256"] == {"clip": sha256_of(WEIGHTS)}
    assert WEIGHTS.stat().st_size < 2**20
    weights = load_file(WEIGHTS)
    assert {values.dtype for values in weights.values()} == {torch.float16}
    assert facts["parameters"] == {"clip": sum(values.numel() for values in weights.values())}
    assert facts["losses"][-1] < facts["losses"][0] - 1


def test_the_recipe_makes_such_a_model(tmp_path):
    """A few steps of the same recipe: same shapes and words, and the loss falls."""
    recipe = dataclasses.replace(
        clip_training.TrainingRecipe(), pictures=96, epochs=4, batch=16, width=32, learning_rate=3e-3
    )
    pixels, captions = clip_training.training_pictures(recipe)
    assert pixels.shape == (96, 3, 112, 112) and pixels.dtype == torch.uint8
    tokenizer = clip_training.make_tokenizer(captions, tmp_path)
    losses = clip_training.train(clip_training.make_model(recipe, len(tokenizer)), tokenizer, pixels, captions, recipe)
    assert losses[-1] < losses[0]
    full = clip_training.make_model(clip_training.TrainingRecipe(), vocabulary=1)
    committed = load_file(WEIGHTS)
    named = {k: v.shape for k, v in full.named_parameters() if "token_embedding" not in k}
    assert named == {k: v.shape for k, v in committed.items() if "token_embedding" not in k}


def test_damaged_weights_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr("neoai_utils.weights.sha256_of", lambda _path: "0" * 64)
    with pytest.raises(AssetError, match="damaged"):
        clip_training.export(tmp_path / "clip")
    assert not (tmp_path / "clip").exists()
