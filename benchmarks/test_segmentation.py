"""Task 7, mask prediction: all cells in one matrix product against one `predict_proba` call per cell.

The features are the same and not part of the time. The reference is the published solution's inner loop, written
afresh; both sides must give the same masks, up to a pixel where rounding decides.
"""

from __future__ import annotations

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


def some_features(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, GRID, GRID, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return some_features(PICTURES)


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


def all_at_once(probe: patch_probe.PublishedProbe, features: np.ndarray) -> list[np.ndarray]:
    return patch_probe.published_masks(probe.predict(features), [SIZE] * len(features))


def test_masks_from_features(against, probe, features):
    found, slow = against(f"7 · mask prediction, {PICTURES} pictures", lambda: cell_by_cell(probe.regression, features),
                          lambda: all_at_once(probe, features))  # fmt: skip
    assert all(np.mean(a != b) < 1e-3 for a, b in zip(found, slow, strict=True))  # rounding may move a pixel


def test_leaving_one_picture_out(against, features, masks):
    """Sums of one picture taken out of the total against scikit-learn's ridge on the cells of all others."""
    labels = patch_probe.soft_labels(masks, GRID).reshape(PICTURES, -1)

    def one_by_one() -> np.ndarray:
        maps = []
        for left in range(PICTURES):
            others = [i for i in range(PICTURES) if i != left]
            plain = Ridge(alpha=1.0).fit(features[others].reshape(-1, WIDTH), labels[others].ravel())
            maps.append(plain.predict(features[left].reshape(-1, WIDTH)).reshape(GRID, GRID))
        return np.stack(maps)

    found, expected = against(f"7 · leaving one of {PICTURES} pictures out", one_by_one,
                              lambda: ridge_probe.left_out(features, masks, (1.0,))[1.0])  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_cost_of_masks(growth, probe):
    def prepare(size):
        features = some_features(size)
        return lambda: all_at_once(probe, features)

    growth("7 · mask prediction, pictures", prepare, 20)
