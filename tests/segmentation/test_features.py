"""Dense features: CLIP, open_clip and DINOv2 give one vector per cell, in the right place."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.nn import functional

from neoai_utils import clips
from neoai_utils.errors import AssetError, NotANumberError
from neoai_utils.segmentation import features, zero_shot
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


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("pickled", [False, True])
def test_a_saved_folder_is_loaded_in_float32(tiny_clip, pictures, tmp_path, monkeypatch, stored, pickled):
    from transformers import CLIPTokenizer

    kept = copy.deepcopy(tiny_clip.model).to(stored)
    kept.save_pretrained(tmp_path / "clip")
    if pickled:
        torch.save(kept.state_dict(), tmp_path / "clip/pytorch_model.bin")
        (tmp_path / "clip/model.safetensors").unlink()
    monkeypatch.setattr(CLIPTokenizer, "from_pretrained", lambda source: source)
    found = features.load_clip("", tmp_path / "clip")
    assert (found.backbone.grid, len(found.backbone.blocks)) == (14, 4)
    assert features.load_clip(str(tmp_path / "clip")).backbone.side == 56
    expected = kept.float().state_dict()
    assert all(torch.equal(values, expected[name]) for name, values in found.model.state_dict().items())
    assert everything(dense_features(found.backbone, pictures, (4,))).dtype == np.float32


def test_what_is_no_whole_clip_is_refused(tiny_clip, tmp_path):
    """transformers would fill in random weights and go on."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28)
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    with pytest.raises(AssetError, match="a model of the kind dinov2.*parameter backbone"):
        features.load_clip(str(tmp_path / "dino"))
    state = tiny_clip.model.state_dict()
    del state["visual_projection.weight"]
    tiny_clip.model.save_pretrained(tmp_path / "cut", state_dict=state)
    with pytest.raises(AssetError, match=r"its weights lack visual_projection\.weight"):
        features.load_clip(str(tmp_path / "cut"))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("open_clip:ViT-B16/openai", r"no model ViT-B16: did you mean ViT-B-16\?"),
        ("open_clip:ViT-B-16/opnai", r"no weights opnai for ViT-B-16, .*: did you mean openai\?"),
        ("open_clip:ViT-B-16//no/such/file.bin", r"no weights /no/such/file\.bin for ViT-B-16, and there is no such"),
    ],
)
def test_spelling_mistakes_in_names_of_open_clip(name, told):
    pytest.importorskip("open_clip")
    with pytest.raises(AssetError, match=f"{told}.*parameter backbone"):
        features.load_clip(name)


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("RN50/openai", "", "QuickGELU"),
        ("RN50-quickgelu/OpenAI", "", "QuickGELU"),
        ("RN50", "", "GELU"),
        ("RN50-quickgelu", "/{file}", "QuickGELU"),
        ("RN50", "/{file}", "GELU"),
    ],
)
def test_the_gelu_follows_the_weights(tmp_path, monkeypatch, name, file, kind):
    """OpenAI's weights were trained with the quick one; since version 3 their tag alone no longer brings it along."""
    open_clip = pytest.importorskip("open_clip")
    path = tmp_path / "weights.pt"
    torch.save(open_clip.create_model("RN50", pretrained=None).state_dict(), path)
    monkeypatch.setattr("open_clip.factory.download_pretrained", lambda *_, **__: str(path))
    model, _, _ = clips.load_open_clip(name + file.format(file=path), "backbone")
    found = {type(module).__name__ for module in model.transformer.modules() if "GELU" in type(module).__name__}
    assert found == {kind}


def test_tokens_that_are_no_number_are_refused(tiny_clip, pictures):
    hurt = copy.deepcopy(tiny_clip.model)
    with torch.no_grad():
        hurt.vision_model.encoder.layers[0].mlp.fc1.bias[:] = float("nan")
    broken = features.clip_from(hurt, None)
    with pytest.raises(NotANumberError, match="tokens of the pictures"):
        stacked(broken.backbone, features.pixels_of(broken.backbone, pictures), (4,))
    with pytest.raises(NotANumberError, match="vectors of the pictures"):
        zero_shot.class_of(broken, pictures, torch.ones(2, 12))
