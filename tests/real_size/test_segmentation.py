"""Task 7: CLIP ViT-B/16 and two photographs: features of two sizes, zero-shot maps, the masks of both recipes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.real_size import FILES, MODELS
from neoai_utils import runtime
from neoai_utils.segmentation import (
    backbones,
    features,
    files,
    joined_sizes,
    refine,
    ridge_probe,
    selection,
    self_training,
    zero_shot,
)  # fmt: skip


@pytest.fixture(scope="module")
def cuties(data: Path) -> Any:
    FILES["task7"](data, 0.002)
    return files.read(data)


@pytest.fixture(scope="module")
def clip(folder: Path) -> backbones.Clip:
    made = MODELS["task7"](folder / "models")
    return backbones.load_clip(str(made["backbone"]), folder / "data" / "clip", runtime.pick_device())


@pytest.fixture(scope="module")
def images(cuties: Any) -> list[Any]:
    return list(cuties.val_images)[:2]


def test_joined_sizes_and_a_mask(clip: backbones.Clip, cuties: Any, images: list[Any]) -> None:
    layers = features.published_layers(len(clip.backbone.blocks))
    assert (layers, clip.backbone.grid) == ((3, 7, 9, 12), 14)
    dense = partial(features.dense_features, clip.backbone)
    coarse = features.concatenated(dense(images, layers=layers))
    assert (coarse.shape, coarse.dtype) == ((2, 14, 14, 3072), np.float32)
    assert np.allclose(np.linalg.norm(coarse.reshape(-1, 4, 768), axis=-1), 1, atol=1e-4)
    assert np.abs(coarse[0] - coarse[1]).max() > 1e-3
    sizes = [
        joined_sizes.ShortFeatures(partial(dense, layers=layers, mirror=True)),
        joined_sizes.ShortFeatures(partial(dense, layers=(11, 12), scale=1.5)),
    ]
    cells = joined_sizes.joined([size.fit_transform(images) for size in sizes])
    assert (cells.shape, cells.dtype) == ((2, 21, 21, 512), np.float32)
    stored = [size.transform(images) for size in sizes]
    (batch,) = joined_sizes.joined_batches(stored)
    assert np.allclose(batch, cells, atol=1e-2), "half precision"

    masks, shapes = list(cuties.val_masks)[:2], [image.shape[:2] for image in images]
    plain = selection.MaskProbe((1.0,)).fit(cells, masks)
    from_map = self_training.self_trained(plain, cells, masks, [batch]).predict(cells, shapes)
    own = ridge_probe.centred(cells)
    first = selection.MaskProbe((1.0,)).fit(own, masks)
    second = ridge_probe.RidgeProbe().fit(ridge_probe.second_stage(own, first.left_out), masks)
    maps = ridge_probe.two_stage_maps(own, first.probe, second)
    assert maps.shape == (2, 2, 21, 21)
    assert np.isfinite(maps).all()
    refiner = partial(refine.cut_blended, start=0.4, weight=0.7, min_iou=0.3)
    mask_of = partial(refine.refined_mask, refiner=refiner, threshold=0.5, clean=refine.largest_part)
    from_outline = refine.in_parallel(mask_of, images, maps[:, 0])
    for found in (from_map, from_outline):
        assert [(mask.shape, mask.dtype) for mask in found] == [(shape, np.bool_) for shape in shapes]
        assert len(files.submission(cuties.test_ids[:2], found)) == 2
    assert all(0 < mask.mean() < 1 for mask in from_outline), "the probe learnt from these masks"


def test_zero_shot_maps(clip: backbones.Clip, images: list[Any], data: Path) -> None:
    texts = features.class_embeddings(clip, files.class_names(data))
    closest = zero_shot.closest_texts(clip, images, texts)
    assert closest.shape == (2, 512)
    methods = [zero_shot.token_maps, zero_shot.maskclip_maps, zero_shot.clearclip_maps]
    found = [zero_shot.in_batches(method, clip, images, closest) for method in methods]
    for maps in found:
        assert np.ptp(maps) > 0
        assert np.abs(maps[0] - maps[1]).max() > 0
    heads = zero_shot.head_maps(clip, images, closest)
    assert len(heads) == 12 * 12
    assert any(np.ptp(maps) > 0 for maps in heads.values())
    assert np.allclose(zero_shot.one_head_maps(clip, images, closest, (11, 11)), heads[11, 11], atol=1e-5)
    for maps in (*found, *heads.values()):
        assert (maps.shape, maps.dtype) == ((2, 14, 14), np.float32)
        assert np.isfinite(maps).all()
    sizes = [image.shape[:2] for image in images]
    assert [mask.shape for mask in zero_shot.mean_threshold_masks(found[0], sizes)] == sizes
