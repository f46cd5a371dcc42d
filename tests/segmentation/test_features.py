"""Dense features: CLIP, open_clip and DINOv2 give one vector per cell, in the right place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from neoai_utils.errors import AssetError
from neoai_utils.segmentation import features
from neoai_utils.segmentation.features import dense_features, published_layers, shifted_features, stacked


def everything(parts):
    return np.concatenate(list(parts))


def test_published_layers_scale_with_depth():
    assert published_layers(12) == (3, 7, 9, 12)
    assert published_layers(4) == (1, 2, 3, 4)


def test_clip_tokens_are_the_hidden_states(tiny_clip, pictures):
    """The hooks read what transformers itself reports as hidden states."""
    pixels = features.pixels_of(tiny_clip.backbone, pictures)
    assert pixels.shape == (2, 3, 56, 56)
    with torch.inference_mode():
        states = tiny_clip.model.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
    expected = torch.cat([functional.normalize(states[layer][:, 1:], dim=-1) for layer in (1, 2, 3, 4)], dim=-1)
    found = stacked(tiny_clip.backbone, pixels, (1, 2, 3, 4))
    assert found.shape == (2, 14, 14, 96)
    torch.testing.assert_close(found.reshape(2, 196, 96), expected)


def test_batches_do_not_matter(tiny_clip, pictures):
    many = pictures * 3
    whole = everything(dense_features(tiny_clip.backbone, many, (2, 4), batch=6))
    parts = everything(dense_features(tiny_clip.backbone, many, (2, 4), batch=4))
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_twice_the_side_gives_a_grid_twice_as_fine(tiny_clip, pictures):
    fine = everything(dense_features(tiny_clip.backbone, pictures, (4,), scale=2))
    assert fine.shape == (2, 28, 28, 24)
    # averaged back, it still resembles the coarse grid more than another picture's
    coarse = everything(dense_features(tiny_clip.backbone, pictures, (1,)))
    shrunk = (
        everything(dense_features(tiny_clip.backbone, pictures, (1,), scale=2))
        .reshape(2, 14, 2, 14, 2, 24)
        .mean((2, 4))
    )
    own, other = np.sum(coarse * shrunk, -1).mean(), np.sum(coarse * shrunk[::-1], -1).mean()
    assert own > other


def test_mirrored_features_of_a_symmetric_picture_are_the_plain_ones(tiny_clip):
    half = np.random.default_rng(0).integers(0, 255, (56, 28, 3), dtype=np.uint8)
    picture = np.concatenate([half, half[:, ::-1]], axis=1)
    plain = everything(dense_features(tiny_clip.backbone, [picture], (1, 4)))
    mirrored = everything(dense_features(tiny_clip.backbone, [picture], (1, 4), mirrored=True))
    np.testing.assert_allclose(mirrored, plain[:, :, ::-1], atol=1e-5)


def test_shifted_windows_interleave_by_place(tiny_clip):
    """A backbone whose first block is replaced by the patches' mean brightness shows where each fine cell looks."""

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.anchor = torch.nn.Parameter(torch.zeros(1))

        def forward(self, pixels):
            cells = functional.avg_pool2d(pixels[:, :2], 4).flatten(2).transpose(1, 2)
            return torch.cat([torch.zeros(len(pixels), 1, 2), cells], dim=1)

    block = Mean()
    backbone = features.Backbone(block, [block], 56, 4, (0, 0, 0), (1, 1, 1))
    ramp = np.zeros((56, 56, 3), dtype=np.uint8)
    ramp[..., 0] = np.arange(56)[None, :] + 50
    ramp[..., 1] = np.arange(56)[:, None] + 50
    fine = everything(shifted_features(backbone, [ramp], (1,)))[0]
    assert fine.shape == (28, 28, 2)
    angle = np.arctan2(fine[..., 1], fine[..., 0])  # unit vectors keep only the ratio row / column
    rows, columns = np.meshgrid(np.arange(28), np.arange(28), indexing="ij")
    expected = np.arctan2(50.5 + 2 * rows, 50.5 + 2 * columns)  # fine cell r is centred on pixels 2r and 2r + 1
    np.testing.assert_allclose(angle[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-4)


# -------------------------------------------------------------------------------------------------- open_clip


@pytest.fixture(scope="module")
def small_open_clip():
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": 3, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=12, vision_cfg=vision, text_cfg=text).eval()
    return features.open_clip_from(model, lambda texts: torch.full((len(texts), 8), 3))


def test_open_clip_tokens_equal_a_hand_made_pass(small_open_clip, pictures):
    visual = small_open_clip.model.visual
    pixels = features.pixels_of(small_open_clip.backbone, pictures)
    with torch.inference_mode():
        tokens = visual.conv1(pixels).flatten(2).transpose(1, 2)
        tokens = torch.cat([visual.class_embedding.expand(2, 1, -1), tokens], dim=1) + visual.positional_embedding
        tokens = visual.ln_pre(tokens)
        states = []
        for block in visual.transformer.resblocks:
            tokens = tokens + block.attn(*[block.ln_1(tokens)] * 3, need_weights=False)[0]
            tokens = tokens + block.mlp(block.ln_2(tokens))
            states.append(functional.normalize(tokens[:, 1:], dim=-1))
    found = stacked(small_open_clip.backbone, pixels, (1, 3))
    assert found.shape == (2, 4, 4, 64)
    torch.testing.assert_close(
        found.reshape(2, 16, 64), torch.cat([states[0], states[2]], dim=-1), atol=1e-4, rtol=1e-4
    )


def test_open_clip_takes_finer_grids_and_stays_untouched(small_open_clip, pictures):
    table = small_open_clip.model.visual.positional_embedding
    before = table.detach().clone()
    assert everything(dense_features(small_open_clip.backbone, pictures, (3,), scale=2)).shape == (2, 8, 8, 32)
    assert small_open_clip.model.visual.positional_embedding is table
    torch.testing.assert_close(table.detach(), before)


def test_open_clip_speaks_both_languages(small_open_clip, pictures):
    texts = features.class_embeddings(small_open_clip, ["cat", "dog"])
    seen = small_open_clip.embed_images(features.pixels_of(small_open_clip.backbone, pictures))
    assert texts.shape == seen.shape == (2, 12)
    torch.testing.assert_close(seen.norm(dim=-1), torch.ones(2))


def test_open_clip_vit_b_16_has_the_originals_grid(pictures):
    """The competition's architecture in open_clip, with random weights: 12 blocks, 14 x 14 cells of 768 numbers."""
    open_clip = pytest.importorskip("open_clip")
    model = open_clip.create_model("ViT-B-16", pretrained=None).eval()
    backbone = features.open_clip_from(model, open_clip.get_tokenizer("ViT-B-16")).backbone
    assert (len(backbone.blocks), backbone.grid, published_layers(len(backbone.blocks))) == (12, 14, (3, 7, 9, 12))
    found = everything(dense_features(backbone, pictures[:1], (3, 7, 9, 12)))
    assert found.shape == (1, 14, 14, 4 * 768)
    np.testing.assert_allclose(np.linalg.norm(found.reshape(1, 14, 14, 4, 768), axis=-1), 1.0, atol=1e-4)


def test_dinov2_gives_its_own_grid(pictures):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14)
    backbone = features.dino_backbone(Dinov2Model(config).eval(), side=56)
    assert everything(dense_features(backbone, pictures, (1, 4))).shape == (2, 4, 4, 32)
    assert everything(dense_features(backbone, pictures, (4,), scale=2)).shape == (2, 8, 8, 16)


# ----------------------------------------------------------------------------------------------------- loading


def test_unknown_models_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(AssetError, match="parameter backbone"):
        features.load_clip(str(tmp_path / "no-such-model"))
    pytest.importorskip("open_clip")
    with pytest.raises(AssetError, match="no-such-architecture"):
        features.load_clip("open_clip:no-such-architecture")


def test_a_saved_folder_is_loaded(tiny_clip, tmp_path, monkeypatch):
    from transformers import CLIPTokenizer

    tiny_clip.model.save_pretrained(tmp_path / "clip")
    monkeypatch.setattr(CLIPTokenizer, "from_pretrained", lambda source: source)
    found = features.load_clip("", tmp_path / "clip")
    assert (found.backbone.grid, len(found.backbone.blocks)) == (14, 4)
    assert features.load_clip(str(tmp_path / "clip")).backbone.side == 56
