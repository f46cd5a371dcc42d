"""Steering of activations, redirected words, and attention maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.diffusion import redirection
from neoai_utils.diffusion.attention_maps import attention_map
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.redirection import redirect_words
from neoai_utils.diffusion.steering import directions, record, steered
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST


def pixels(pictures):
    return np.stack([np.asarray(picture) for picture in pictures]).astype(int)


def layers(unet):
    return {name: module for name, module in unet.named_modules() if name.endswith("attn2")}


@pytest.fixture
def vectors(pipe):
    return directions(record(pipe, ["a photo of a horse"], FAST), record(pipe, ["a photo of a pig"], FAST))


def test_every_layer_and_step_has_a_unit_vector(pipe, vectors):
    steps = {step for _, step in vectors}
    assert {name for name, _ in vectors} == set(layers(pipe.unet))
    assert steps == set(range(max(steps) + 1))
    assert len(steps) >= FAST.steps, "PNDM evaluates the network once more than it has steps"
    assert all(vector.norm().item() == pytest.approx(1, abs=1e-5) for vector in vectors.values())


@pytest.mark.parametrize(("strength", "left"), [(0.0, 1.0), (1.0, 0.0), (2.0, -1.0)])
def test_the_part_along_a_vector_is_scaled(pipe, strength, left):
    """With a layer's output known: `left` of what points along the vector stays, lengths stay, the rest is free."""
    name, layer = next(iter(layers(pipe.unet).items()))
    width = layer.to_out[0].out_features
    vector = torch.zeros(width)
    vector[0] = 1.0
    outputs = torch.randn((2, 3, width), generator=torch.Generator().manual_seed(0))
    layer.register_forward_hook(lambda *_: outputs)  # stands before the steering hook
    with steered(pipe.unet, {(name, 0): vector}, strength):
        found = layer(torch.zeros(2, 3, width))
    assert torch.allclose(found.norm(dim=-1), outputs.norm(dim=-1), atol=1e-5)
    along = outputs[..., 0] > 0
    unscaled = found * ((outputs[..., 1:].norm(dim=-1) / found[..., 1:].norm(dim=-1))[..., None])
    assert torch.allclose(unscaled[along][:, 0], left * outputs[along][:, 0], atol=1e-4)
    assert torch.allclose(found[~along], outputs[~along], atol=1e-5)


def test_hooks_are_gone_afterwards(pipe, vectors):
    before = pixels(draw(pipe, ["a photo of a horse"], FAST))
    with steered(pipe.unet, vectors, 2.0):
        assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) != before).any()
        again = pixels(draw(pipe, ["a photo of a horse"], FAST))
    with steered(pipe.unet, vectors, 2.0):
        assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) == again).all(), "steps are counted from nought"
    assert (pixels(draw(pipe, ["a photo of a horse"], FAST)) == before).all()


def test_vectors_of_another_network(pipe, vectors):
    foreign = {(f"other.{name}", step): vector for (name, step), vector in vectors.items()}
    with pytest.raises(ParameterError, match="recorded on another one"), steered(pipe.unet, foreign, 1.0):
        pass


def test_a_redirected_word_reads_as_its_target(pipe):
    pig, horse, cow = (states(pipe, [f"a photo of a {word}"]).detach() for word in ("pig", "horse", "cow"))
    redirect_words(pipe, ["horse"], "pig")
    assert torch.allclose(states(pipe, ["a photo of a horse"]), pig, atol=1e-6)
    assert torch.equal(states(pipe, ["a photo of a cow"]), cow)
    assert not torch.allclose(horse, pig, atol=1e-3)
    with pytest.raises(ParameterError, match="no piece"):
        redirect_words(pipe, [""], "pig")


def test_words_are_ranked_by_what_they_mean(pipe):
    source, others = ["horse", "mare"], ["donkey", "zebra"]
    before = redirection.rank_words(pipe, source, others)
    values = [value for _, value in before]
    assert values == sorted(values, reverse=True)
    assert not {word for word, _ in before} & {*source, *others}
    assert {"rocket", "bell", "mustang"} <= {word for word, _ in before}
    redirect_words(pipe, ["rocket"], "horse")
    after = redirection.rank_words(pipe, source, others)
    assert dict(after)["rocket"] > dict(before)["rocket"]
    assert list(dict(after)).index("rocket") < list(dict(before)).index("rocket")


def test_the_attention_that_is_shown_is_the_networks_own(pipe):
    prompt = "a photo of a horse"
    old = dict(pipe.unet.attn_processors)
    picture, seen = attention_map(pipe, prompt, "horse", FAST)
    assert abs(pixels([picture]) - pixels(draw(pipe, [prompt], FAST))).max() <= 1
    assert seen.shape == picture.size[::-1]
    assert (seen.min(), seen.max()) == (0, 1)
    assert pipe.unet.attn_processors == old
    with pytest.raises(ParameterError, match="does not hold the word"):
        attention_map(pipe, prompt, "pig", FAST)


def test_attention_to_all_words_is_one(pipe):
    """A layer whose keys are all alike pays the same to every word: the map of any word is flat."""
    for layer in layers(pipe.unet).values():
        torch.nn.init.zeros_(layer.to_k.weight)
    _, seen = attention_map(pipe, "a photo of a horse", "horse", FAST)
    assert np.ptp(seen) < 1e-3
