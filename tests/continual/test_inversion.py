"""Reconstructed pictures are classified as intended."""

from __future__ import annotations

import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import files, inference, inversion
from neoai_utils.continual.miniature import pretraining


def test_inverted_pictures_are_called_what_they_should_be() -> None:
    recipe = pretraining.PretrainingRecipe()
    teacher = pretraining.make_model(recipe, files.CLASSES).eval()
    teacher.load_state_dict(pretraining.STORE.load("model"))
    goal = [1, 20, 40, 60, 80, 90, 100, 5]
    noise, first, again = (inversion.invert(teacher, goal, recipe.side, steps=steps) for steps in (0, 80, 80))
    assert torch.equal(first, again)
    assert first.dtype == torch.uint8
    before, after = (
        (inference.logits(teacher, pictures).argmax(dim=1) == torch.tensor(goal)).float().mean()
        for pictures in (noise, first)
    )
    assert after >= before + 0.4


def test_pictures_of_later_batches_are_made_like_the_first(tiny: TinyVit) -> None:
    """The first batch is what it would be alone, and a batch of all is what is made without a limit."""
    goal = [1, 20, 40, 60, 80]
    free, whole, parts = (inversion.invert(tiny, goal, 32, steps=3, at_once=count) for count in (None, 5, 2))
    alone = inversion.invert(tiny, goal[:2], 32, steps=3)
    assert torch.equal(free, whole)
    assert len(parts) == len(goal)
    assert torch.equal(parts[:2], alone)
    assert not torch.equal(parts[2:4], alone)


def test_total_variation_of_a_checkerboard() -> None:
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    board = ((rows + columns) % 2).float()[None, None]
    assert float(inversion.total_variation(board)) == 2
    assert float(inversion.total_variation(torch.ones(1, 3, 4, 4))) == 0
