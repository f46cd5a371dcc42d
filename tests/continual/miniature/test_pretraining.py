"""The committed networks belong to their recipe, and the recipe still learns."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from neoai_utils.continual.miniature import drawings, pretraining
from neoai_utils.weights import recipe_checksum


@pytest.fixture
def recipe() -> pretraining.PretrainingRecipe:
    return pretraining.PretrainingRecipe()


def test_the_committed_networks_are_the_recipes(recipe: pretraining.PretrainingRecipe) -> None:
    manifest = pretraining.STORE.manifest()
    assert manifest["recipe_checksum"] == recipe_checksum(recipe)
    assert list(manifest["sha256"]) == list(manifest["parameters"]) == ["model", "oracle"]
    model = pretraining.make_model(recipe, len(drawings.CLASSES))
    for part, count in manifest["parameters"].items():
        state = pretraining.STORE.load(part)
        model.load_state_dict(state)
        assert sum(values.numel() for values in state.values()) == count


def test_the_recipe_learns(recipe: pretraining.PretrainingRecipe) -> None:
    torch.set_num_threads(1)
    small = dataclasses.replace(recipe, batch_size=20)
    grey, classes = pretraining.examples(small, weak_shown=1)
    few = torch.isin(classes, torch.tensor([0, 1, 2, 3]))
    losses = [
        pretraining.train(
            pretraining.make_model(small, 4), grey[few], classes[few], small, epochs=4, learning_rate=3e-3
        )
        for _ in range(2)
    ]
    assert losses[0] == losses[1], "same seed, same losses"
    assert losses[0][-1] < 0.9 * losses[0][0]


def test_a_cropped_head_keeps_its_rows(recipe: pretraining.PretrainingRecipe) -> None:
    model = pretraining.make_model(recipe, 9)
    smaller = pretraining.crop_head(model, 4)
    assert torch.equal(smaller.head.fc.weight, model.head.fc.weight[:4])
    assert smaller.num_classes == 4


def test_painted_drawings_fit_the_network(recipe: pretraining.PretrainingRecipe) -> None:
    grey, _ = pretraining.examples(recipe, weak_shown=1)
    pictures = pretraining.paint_batch(grey[:5], recipe)
    assert pictures.shape == (5, 3, recipe.side, recipe.side)
    assert float(pictures.min()) >= -0.5
    assert float(pictures.max()) <= 0.5
