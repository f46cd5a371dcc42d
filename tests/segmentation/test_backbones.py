"""CLIP, open_clip and DINOv2 behind one interface, and how they are loaded."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from neoai_utils.errors import AssetError
from neoai_utils.segmentation import backbones
from neoai_utils.segmentation.features import (
    class_embeddings,
    concatenated,
    dense_features,
    normalised_pixels,
    published_layers,
)  # fmt: skip


def test_open_clip_takes_finer_grids_and_stays_untouched(small_open_clip, pictures):
    table = small_open_clip.model.visual.positional_embedding
    before = table.detach().clone()
    assert concatenated(dense_features(small_open_clip.backbone, pictures, (3,), scale=2)).shape == (2, 8, 8, 32)
    assert small_open_clip.model.visual.positional_embedding is table
    torch.testing.assert_close(table.detach(), before)


def test_open_clip_speaks_both_languages(small_open_clip, pictures):
    texts = class_embeddings(small_open_clip, ["cat", "dog"])
    seen = small_open_clip.embed_images(normalised_pixels(small_open_clip.backbone, pictures))
    assert texts.shape == seen.shape == (2, 12)
    torch.testing.assert_close(seen.norm(dim=-1), torch.ones(2))


def test_open_clip_vit_b_16_has_the_originals_grid(pictures):
    """The competition's architecture in open_clip, with random weights: 12 blocks, 14 x 14 cells of 768 numbers."""
    open_clip = pytest.importorskip("open_clip")
    model = open_clip.create_model("ViT-B-16", pretrained=None).eval()
    backbone = backbones.open_clip_from(model, open_clip.get_tokenizer("ViT-B-16")).backbone
    assert (len(backbone.blocks), backbone.grid, published_layers(len(backbone.blocks))) == (12, 14, (3, 7, 9, 12))
    found = concatenated(dense_features(backbone, pictures[:1], (3, 7, 9, 12)))
    assert found.shape == (1, 14, 14, 4 * 768)
    np.testing.assert_allclose(np.linalg.norm(found.reshape(1, 14, 14, 4, 768), axis=-1), 1.0, atol=1e-4)


def test_dinov2_gives_its_own_grid(pictures):
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=16, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14)
    backbone = backbones.dino_backbone(Dinov2Model(config).eval())
    assert concatenated(dense_features(backbone, pictures, (1, 4))).shape == (2, 16, 16, 32)
    assert concatenated(dense_features(backbone, pictures, (4,), scale=2)).shape == (2, 32, 32, 16)


def test_unknown_models_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(AssetError, match="parameter backbone"):
        backbones.load_clip(str(tmp_path / "no-such-model"))
    pytest.importorskip("open_clip")
    with pytest.raises(AssetError, match="no-such-architecture"):
        backbones.load_clip("open_clip:no-such-architecture")


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
    found = backbones.load_clip("", tmp_path / "clip")
    assert (found.backbone.grid, len(found.backbone.blocks)) == (14, 4)
    assert backbones.load_clip(str(tmp_path / "clip")).backbone.side == 56
    expected = kept.float().state_dict()
    assert all(torch.equal(values, expected[name]) for name, values in found.model.state_dict().items())
    assert concatenated(dense_features(found.backbone, pictures, (4,))).dtype == np.float32


def test_what_is_no_whole_clip_is_refused(tiny_clip, tmp_path):
    """transformers would fill in random weights and go on."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28)
    Dinov2Model(config).save_pretrained(tmp_path / "dino")
    with pytest.raises(AssetError, match="a model of the kind dinov2.*parameter backbone"):
        backbones.load_clip(str(tmp_path / "dino"))
    state = tiny_clip.model.state_dict()
    del state["visual_projection.weight"]
    tiny_clip.model.save_pretrained(tmp_path / "cut", state_dict=state)
    with pytest.raises(AssetError, match=r"its weights lack visual_projection\.weight"):
        backbones.load_clip(str(tmp_path / "cut"))


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
        backbones.load_clip(name)
