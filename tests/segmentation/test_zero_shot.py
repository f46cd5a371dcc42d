"""The zero-shot maps against slow, plain references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from neoai_utils.segmentation import features, zero_shot


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


def texts_for(clip, pictures):
    texts = features.class_embeddings(clip, ["cat", "dog", "parrot"])
    return texts, zero_shot.closest_texts(clip, pictures, texts)


def test_the_class_is_the_closest_text(tiny_clip, pictures):
    texts, closest = texts_for(tiny_clip, pictures)
    seen = tiny_clip.embed_images(features.normalised_pixels(tiny_clip.backbone, pictures))
    best = (seen @ texts.T).argmax(dim=1)
    torch.testing.assert_close(closest, texts[best])


def test_crops_against_one_patch_at_a_time(tiny_clip, pictures):
    _, closest = texts_for(tiny_clip, pictures)
    maps = zero_shot.crop_maps(tiny_clip, pictures, closest)
    assert maps.shape == (2, 14, 14)
    pixels = features.normalised_pixels(tiny_clip.backbone, pictures)
    for row, column in ((0, 0), (3, 11), (13, 5)):
        patch = pixels[1:, :, row * 4 : row * 4 + 4, column * 4 : column * 4 + 4]
        seen = tiny_clip.embed_images(functional.interpolate(patch, size=(56, 56), mode="bicubic"))
        np.testing.assert_allclose(maps[1, row, column], (seen @ closest[1]).item(), atol=1e-5)


def test_heads_sum_to_the_attention_output(tiny_clip, pictures):
    """2310.05916's premise: the block's attention output is the sum of its heads' shares (plus the bias once)."""
    model = tiny_clip.model
    attention = model.vision_model.encoder.layers[2].self_attn
    pixels = features.normalised_pixels(tiny_clip.backbone, pictures)
    (mixed,) = zero_shot._inputs_of(tiny_clip, pictures, [attention.out_proj])
    output = []
    handle = attention.register_forward_hook(lambda _m, _i, o: output.append(o[0]))
    model.vision_model(pixel_values=pixels)
    handle.remove()
    width = attention.head_dim
    shares = [
        mixed[..., h * width : (h + 1) * width] @ attention.out_proj.weight[:, h * width : (h + 1) * width].T
        for h in range(attention.num_heads)
    ]
    torch.testing.assert_close(sum(shares) + attention.out_proj.bias, output[0])


def test_all_heads_are_mapped(tiny_clip, pictures):
    _, closest = texts_for(tiny_clip, pictures)
    maps = zero_shot.head_maps(tiny_clip, pictures, closest)
    assert sorted(maps) == [(block, head) for block in range(4) for head in range(2)]
    assert all(m.shape == (2, 14, 14) and (m >= 0).all() for m in maps.values())


def test_clearclip_with_equal_queries_averages_maskclip(tiny_clip, pictures):
    """If all queries are equal, query-query attention is a plain mean, so every cell has the same map value."""
    _, closest = texts_for(tiny_clip, pictures)
    attention = tiny_clip.backbone.blocks[-1].self_attn
    weight = attention.q_proj.weight.data.clone()
    try:
        attention.q_proj.weight.data.zero_()
        maps = zero_shot.clearclip_maps(tiny_clip, pictures, closest)
    finally:
        attention.q_proj.weight.data.copy_(weight)
    np.testing.assert_allclose(maps, np.broadcast_to(maps[:, :1, :1], maps.shape), atol=1e-5)
    assert np.ptp(zero_shot.maskclip_maps(tiny_clip, pictures, closest)) > 1e-4


def test_hooks_are_gone_afterwards(tiny_clip, pictures):
    def hooks():
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in tiny_clip.model.modules())

    _, closest = texts_for(tiny_clip, pictures)
    before = hooks()
    for maps in (zero_shot.token_maps, zero_shot.maskclip_maps, zero_shot.clearclip_maps):
        assert maps(tiny_clip, pictures, closest).shape == (2, 14, 14)
    assert hooks() == before


def test_mean_threshold_marks_the_upper_part():
    heat = np.zeros((14, 14), dtype=np.float32)
    heat[:7] = 3.0
    mask = zero_shot.mean_threshold_mask(heat, (50, 80))
    assert mask.shape == (50, 80)
    assert mask[:24].all() and not mask[26:].any()
    # the scale of the similarities does not matter
    assert np.array_equal(mask, zero_shot.mean_threshold_mask(heat * 0.01 - 5, (50, 80)))
    assert np.asarray(Image.fromarray(mask)).dtype == bool


def test_batches_give_the_same_maps(tiny_clip, pictures):
    many = pictures * 3
    _, closest = texts_for(tiny_clip, many)
    whole = zero_shot.maskclip_maps(tiny_clip, many, closest)
    parts = zero_shot.in_batches(zero_shot.maskclip_maps, tiny_clip, many, closest, batch=4)
    np.testing.assert_allclose(whole, parts, atol=1e-5)


def test_best_head_is_the_one_with_the_best_masks(tiny_clip, pictures):
    """Take a head's own masks for the truth: it must win, with a perfect score."""
    _, closest = texts_for(tiny_clip, pictures)
    maps = zero_shot.head_maps(tiny_clip, pictures, closest)
    wanted = next(head for head, m in maps.items() if np.ptp(m, axis=(1, 2)).min() > 0 and head[0] == 2)
    truths = zero_shot.mean_threshold_masks(maps[wanted], [(40, 60), (64, 48)])
    head, score = zero_shot.best_head(tiny_clip, pictures, closest, truths)
    assert (head, score) == (wanted, 1.0)
    np.testing.assert_array_equal(zero_shot.one_head_maps(tiny_clip, pictures, closest, head), maps[head])


def test_one_head_is_mapped_without_the_others(tiny_clip, pictures, monkeypatch):
    """The same numbers as in all heads' maps, from one comparison with the text."""
    _, closest = texts_for(tiny_clip, pictures)
    maps = zero_shot.head_maps(tiny_clip, pictures, closest)
    compare, calls = zero_shot._similarity, []
    monkeypatch.setattr(zero_shot, "_similarity", lambda *given: calls.append(1) or compare(*given))
    for head in ((0, 1), (3, 0)):
        np.testing.assert_array_equal(zero_shot.one_head_maps(tiny_clip, pictures, closest, head), maps[head])
    assert len(calls) == 2
