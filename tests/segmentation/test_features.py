"""Dense features: one vector per cell, in the right place."""

from __future__ import annotations

import copy
import weakref
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

from neoai_utils import number_formats
from neoai_utils.errors import NotANumberError
from neoai_utils.segmentation import backbones, zero_shot
from neoai_utils.segmentation.features import (
    concatenated,
    dense_features,
    mapped,
    normalised_pixels,
    published_layers,
    stacked_tokens,
)  # fmt: skip


def test_published_layers_scale_with_depth():
    assert published_layers(12) == (3, 7, 9, 12)
    assert published_layers(4) == (1, 2, 3, 4)


def test_clip_tokens_are_the_hidden_states(tiny_clip, pictures):
    """The hooks read what transformers itself reports as hidden states."""
    pixels = normalised_pixels(tiny_clip.backbone, pictures)
    assert pixels.shape == (2, 3, 56, 56)
    with torch.inference_mode():
        states = tiny_clip.model.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
    expected = torch.cat([functional.normalize(states[layer][:, 1:], dim=-1) for layer in (1, 2, 3, 4)], dim=-1)
    found = stacked_tokens(tiny_clip.backbone, pixels, (1, 2, 3, 4))
    assert found.shape == (2, 14, 14, 96)
    torch.testing.assert_close(found.reshape(2, 196, 96), expected)


def test_batches_do_not_matter(tiny_clip, pictures):
    many = pictures * 3
    whole = concatenated(dense_features(tiny_clip.backbone, many, (2, 4), batch=6))
    parts = concatenated(dense_features(tiny_clip.backbone, many, (2, 4), batch=4))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_twice_the_side_gives_a_grid_twice_as_fine(tiny_clip, pictures):
    fine = concatenated(dense_features(tiny_clip.backbone, pictures, (4,), scale=2))
    assert fine.shape == (2, 28, 28, 24)
    # averaged back, it still resembles the coarse grid more than another picture's
    coarse = concatenated(dense_features(tiny_clip.backbone, pictures, (1,)))
    shrunk = (
        concatenated(dense_features(tiny_clip.backbone, pictures, (1,), scale=2))
        .reshape(2, 14, 2, 14, 2, 24)
        .mean((2, 4))
    )
    own, other = np.sum(coarse * shrunk, -1).mean(), np.sum(coarse * shrunk[::-1], -1).mean()
    assert own > other


def test_the_mirror_images_features_come_back_to_their_places(pictures):
    """A backbone that returns each patch's mean colour finds the same in the mirror, once that is mirrored back."""

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))

        def forward(self, pixels):
            cells = functional.avg_pool2d(pixels, 4).flatten(2).transpose(1, 2)
            return torch.cat([torch.zeros(len(pixels), 1, 3), cells], dim=1)

    block = Mean()
    backbone = backbones.Backbone(block, [block], 56, 4, (0, 0, 0), (1, 1, 1))
    plain, both = (concatenated(dense_features(backbone, pictures, (1,), mirror=mirror)) for mirror in (False, True))
    np.testing.assert_allclose(both, plain, atol=1e-6)
    assert np.abs(plain - plain[:, :, ::-1]).max() > 0.1


# ----------------------------------------------------------------------------------------------- mirror, scale


def test_a_mirrored_picture_has_mirrored_features(tiny_clip, pictures):
    """The mean over picture and mirror image does not know left from right; one pass alone does."""
    turned = [np.ascontiguousarray(image[:, ::-1]) for image in pictures]
    for mirror, same in ((True, True), (False, False)):
        dense = partial(dense_features, tiny_clip.backbone, layers=(2, 4), mirror=mirror)
        found, expected = concatenated(dense(turned)), concatenated(dense(pictures))[:, :, ::-1]
        assert np.allclose(found, expected, atol=1e-2) == same


def test_the_mirror_is_a_half_of_the_mean(tiny_clip, pictures):
    turned = [np.ascontiguousarray(image[:, ::-1]) for image in pictures]
    plain, other = (concatenated(dense_features(tiny_clip.backbone, images, (4,))) for images in (pictures, turned))
    mean = concatenated(dense_features(tiny_clip.backbone, pictures, (4,), mirror=True))
    np.testing.assert_allclose(mean, (plain + other[:, :, ::-1]) / 2, atol=1e-2)  # Pillow rounds the resized pixels


@pytest.mark.parametrize(("scale", "grid"), [(1.0, 14), (1.5, 21), (2.0, 28), (1.45, 20)])
def test_sides_are_whole_patches(tiny_clip, pictures, scale, grid):
    assert next(dense_features(tiny_clip.backbone, pictures, (4,), scale=scale)).shape == (2, grid, grid, 24)


# ------------------------------------------------------------------------------------------------ number formats


def test_a_fast_format_gives_nearly_the_same_tokens(tiny_clip, pictures, monkeypatch):
    pixels = normalised_pixels(tiny_clip.backbone, pictures)
    exact = stacked_tokens(tiny_clip.backbone, pixels, (1, 4))
    monkeypatch.setattr(number_formats, "fast_dtype", lambda _device: torch.bfloat16)
    fast = stacked_tokens(tiny_clip.backbone, pixels, (1, 4))
    assert fast.dtype == torch.float32
    assert 0 < (fast - exact).abs().max() < 0.05


def test_float16_that_overflows_is_computed_again(tiny_clip, pictures, monkeypatch):
    """Tokens of 1e6 are infinite in float16, and infinity divided by infinity is NaN."""
    loud = copy.deepcopy(tiny_clip.model)
    with torch.no_grad():
        loud.vision_model.encoder.layers[0].mlp.fc2.bias[:] = 1e6
    backbone = backbones.clip_from(loud, None).backbone
    pixels = normalised_pixels(backbone, pictures)
    exact = stacked_tokens(backbone, pixels, (4,))
    monkeypatch.setattr(number_formats, "fast_dtype", lambda _device: torch.float16)
    torch.testing.assert_close(stacked_tokens(backbone, pixels, (4,)), exact)


# -------------------------------------------------------------------------------------------------- open_clip


def test_open_clip_tokens_equal_a_hand_made_pass(small_open_clip, pictures):
    visual = small_open_clip.model.visual
    pixels = normalised_pixels(small_open_clip.backbone, pictures)
    with torch.inference_mode():
        tokens = visual.conv1(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([visual.class_embedding.expand(2, 1, -1), tokens], dim=1) + visual.positional_embedding
        tokens = visual.ln_pre(tokens)
        states = []
        for block in visual.transformer.resblocks:
            tokens = tokens + block.attn(*[block.ln_1(tokens)] * 3, need_weights=False)[0]
            tokens = tokens + block.mlp(block.ln_2(tokens))
            states.append(functional.normalize(tokens[:, 1:], dim=-1))
    found = stacked_tokens(small_open_clip.backbone, pixels, (1, 3))
    assert found.shape == (2, 4, 4, 64)
    torch.testing.assert_close(
        found.reshape(2, 16, 64), torch.cat([states[0], states[2]], dim=-1), atol=1e-4, rtol=1e-4
    )


# ----------------------------------------------------------------------------------------------------- loading


def test_tokens_that_are_no_number_are_refused(tiny_clip, pictures):
    hurt = copy.deepcopy(tiny_clip.model)
    with torch.no_grad():
        hurt.vision_model.encoder.layers[0].mlp.fc1.bias[:] = float("nan")
    broken = backbones.clip_from(hurt, None)
    with pytest.raises(NotANumberError, match="tokens of the pictures"):
        stacked_tokens(broken.backbone, normalised_pixels(broken.backbone, pictures), (4,))
    with pytest.raises(NotANumberError, match="vectors of the pictures"):
        zero_shot.closest_texts(broken, pictures, torch.ones(2, 12))


def test_predictions_batch_by_batch_hold_two_batches_at_most(tiny_clip, pictures):
    """The maps of all features at once, while only the last batch is alive when the next is made."""
    many = pictures * 3
    whole = concatenated(dense_features(tiny_clip.backbone, many, (2, 4)))
    alive: list[weakref.ref] = []

    def batches():
        for start in range(0, len(whole), 2):
            assert sum(reference() is not None for reference in alive) <= 1
            cells = whole[start : start + 2].copy()
            alive.append(weakref.ref(cells))
            yield cells
            del cells

    np.testing.assert_array_equal(mapped(batches(), lambda cells: cells.sum(axis=-1)), whole.sum(axis=-1))
