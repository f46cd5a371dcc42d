"""From features to masks: all cells in one matrix product against one `predict_proba` call per cell.

The features are the same and not part of the time. The reference is the published solution's inner loop, written
afresh; both sides must give the same masks, up to a pixel where rounding decides. Printed, never gating on seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import Ridge
from torch.nn import functional

from neoai_utils.segmentation import patch_probe, ridge_probe

PICTURES, GRID, WIDTH, SIZE = 10, 14, 384, (375, 500)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(PICTURES, GRID, GRID, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def masks() -> list[np.ndarray]:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return [np.hypot(rows - 180, columns - 30 * i) < 120 for i in range(PICTURES)]


@pytest.fixture(scope="module")
def probe(features: np.ndarray, masks: list[np.ndarray]) -> patch_probe.PublishedProbe:
    return patch_probe.PublishedProbe().fit(features, masks)


def cell_by_cell(regression: Any, features: np.ndarray) -> list[np.ndarray]:
    """The published inner loop, told again."""
    masks = []
    for picture in features:
        heat = np.zeros((GRID, GRID))
        for i in range(GRID):
            for j in range(GRID):
                heat[i, j] = regression.predict_proba([picture[i, j]])[0, 1]
        canvas = functional.interpolate(torch.tensor(heat)[None, None], size=(224, 224), mode="bilinear")
        mask = ndimage.binary_dilation((canvas.squeeze().numpy() > 0.5).astype(np.uint8), iterations=1)
        resized = Image.fromarray(mask.astype(np.uint8)).resize(SIZE[::-1], Image.Resampling.NEAREST)
        masks.append(np.asarray(resized).astype(bool))
    return masks


def seconds(work: Callable[[], Any], times: int) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def test_masks_from_features(benchmark: Any, probe: patch_probe.PublishedProbe, features: np.ndarray) -> None:
    def ours() -> list[np.ndarray]:
        return patch_probe.published_masks(probe.predict(features), [SIZE] * PICTURES)

    found = benchmark(ours)
    slow = cell_by_cell(probe.regression, features)
    assert all(np.mean(a != b) < 1e-3 for a, b in zip(found, slow, strict=True))  # rounding may move a pixel
    reference = seconds(lambda: cell_by_cell(probe.regression, features), 2)
    ratio = reference / seconds(ours, 5)
    benchmark.extra_info["times as fast as cell by cell"] = round(ratio, 1)
    print(f"\nmasks from features: {ratio:.0f} times as fast as cell by cell, the same masks")


def test_leaving_one_picture_out(benchmark: Any, features: np.ndarray, masks: list[np.ndarray]) -> None:
    """Sums of one picture taken out of the total against scikit-learn's ridge on the cells of all others."""
    labels = patch_probe.soft_labels(masks, GRID).reshape(PICTURES, -1)

    def ours() -> np.ndarray:
        return ridge_probe.left_out(features, masks, (1.0,))[1.0]

    def one_by_one() -> np.ndarray:
        maps = []
        for left in range(PICTURES):
            others = [i for i in range(PICTURES) if i != left]
            plain = Ridge(alpha=1.0).fit(features[others].reshape(-1, WIDTH), labels[others].ravel())
            maps.append(plain.predict(features[left].reshape(-1, WIDTH)).reshape(GRID, GRID))
        return np.stack(maps)

    found = benchmark.pedantic(ours, rounds=2)
    np.testing.assert_allclose(found, one_by_one(), atol=1e-3)
    ratio = seconds(one_by_one, 2) / seconds(ours, 3)
    benchmark.extra_info["times as fast as fold by fold"] = round(ratio, 1)
    print(f"\nleaving one picture out: {ratio:.1f} times as fast as fold by fold, the same maps")
