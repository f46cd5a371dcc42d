"""Steering of activations: recorded directions, scaled components, no trace afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.steering import cross_attention_layers, directions, record, steered
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


@pytest.fixture
def vectors(pipe):
    return directions(record(pipe, ["a photo of a horse"], FAST), record(pipe, ["a photo of a pig"], FAST))


def test_every_layer_and_step_has_a_unit_vector(pipe, vectors):
    steps = {step for _, step in vectors}
    assert {name for name, _ in vectors} == set(cross_attention_layers(pipe.unet))
    assert steps == set(range(max(steps) + 1))
    assert len(steps) >= FAST.steps, "PNDM evaluates the network once more than it has steps"
    assert all(vector.norm().item() == pytest.approx(1, abs=1e-5) for vector in vectors.values())


def test_batches_give_the_means_of_all_at_once(pipe):
    texts = ["a photo of a horse", "a mare", "a foal on grass", "star", "a pony"]
    whole = record(pipe, texts, replace(FAST, batch_size=5))
    parts = record(pipe, texts, replace(FAST, batch_size=2))
    assert parts.keys() == whole.keys()
    assert all(torch.allclose(parts[key], whole[key], atol=1e-5) for key in whole)


@pytest.mark.parametrize(("strength", "left"), [(0.0, 1.0), (1.0, 0.0), (2.0, -1.0)])
def test_the_part_along_a_vector_is_scaled(pipe, strength, left):
    """With a layer's output known: `left` of what points along the vector stays, lengths stay, the rest is free."""
    name, layer = next(iter(cross_attention_layers(pipe.unet).items()))
    width = layer.to_out[0].out_features
    vector = torch.zeros(width)
    vector[0] = 1.0
    outputs = torch.randn((2, 3, width), generator=torch.Generator().manual_seed(0))
    layer.register_forward_hook(lambda *_: outputs)  # runs before the steering hook
    with steered(pipe.unet, {(name, 0): vector}, strength):
        result = layer(torch.zeros(2, 3, width))
    assert torch.allclose(result.norm(dim=-1), outputs.norm(dim=-1), atol=1e-5)
    along = outputs[..., 0] > 0
    unscaled = result * ((outputs[..., 1:].norm(dim=-1) / result[..., 1:].norm(dim=-1))[..., None])
    assert torch.allclose(unscaled[along][:, 0], left * outputs[along][:, 0], atol=1e-4)
    assert torch.allclose(result[~along], outputs[~along], atol=1e-5)


def test_hooks_are_gone_afterwards(pipe, vectors):
    before = pixels(draw(pipe, ["a photo of a horse"], FAST))
    with steered(pipe.unet, vectors, 2.0):
        assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) != before).any()
        again = pixels(draw(pipe, ["a photo of a horse"], FAST))
    with steered(pipe.unet, vectors, 2.0):
        assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) == again).all(), "steps are counted from zero"
    assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) == before).all()


def test_vectors_of_another_network(pipe, vectors):
    foreign = {(f"other.{name}", step): vector for (name, step), vector in vectors.items()}
    with pytest.raises(ParameterError, match="recorded on another one"), steered(pipe.unet, foreign, 1.0):
        pass
