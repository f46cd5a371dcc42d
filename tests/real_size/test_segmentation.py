"""Task 7: CLIP ViT-B/16 and two photographs: features on three grids, zero-shot maps, a mask."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.real_size import FILES, MODELS
from neoai_utils import runtime
from neoai_utils.segmentation import backbones, features, files, refine, ridge_probe, zero_shot


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


def test_three_grids_and_a_mask(clip: backbones.Clip, cuties: Any, images: list[Any]) -> None:
    layers = features.published_layers(len(clip.backbone.blocks))
    assert (layers, clip.backbone.grid) == ((3, 7, 9, 12), 14)
    dense = partial(features.dense_features, clip.backbone, layers=layers)
    coarse = features.concatenated(dense(images))
    assert (coarse.shape, coarse.dtype) == ((2, 14, 14, 3072), np.float32)
    interpolated = partial(dense, scale=2)
    shifted = partial(features.shifted_features, clip.backbone, layers=layers)
    grids = [features.concatenated(grid(images)) for grid in (interpolated, shifted)]
    cells = np.mean(grids, axis=0)
    assert np.allclose(next(features.mean_features([interpolated, shifted], images[:1])), cells[:1], atol=1e-4)
    for grid in (*grids, cells):
        assert (grid.shape, grid.dtype) == ((2, 28, 28, 3072), np.float32)
    for grid in (coarse, *grids):
        assert np.allclose(np.linalg.norm(grid.reshape(-1, 4, 768), axis=-1), 1, atol=1e-4)
        assert np.abs(grid[0] - grid[1]).max() > 1e-3
    assert np.abs(grids[0] - grids[1]).max() > 1e-3

    masks = list(cuties.val_masks)[:2]
    probe = ridge_probe.RidgeProbe().fit(ridge_probe.centred(cells), masks)
    maps = probe.predict(ridge_probe.centred(cells))
    assert maps.shape == (2, 28, 28)
    assert np.isfinite(maps).all()
    refiner = partial(refine.cut_blended, start=0.4, weight=0.7, min_iou=0.3)
    mask_of = partial(refine.refined_mask, refiner=refiner, threshold=0.5, clean=refine.largest_part)
    found = refine.in_parallel(mask_of, images, maps)
    for mask, image in zip(found, images, strict=True):
        assert (mask.shape, mask.dtype) == (image.shape[:2], np.bool_)
        assert 0 < mask.mean() < 1, "the probe learnt from these masks"
    assert len(files.submission(cuties.test_ids[:2], found)) == 2


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
