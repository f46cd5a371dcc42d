"""The published probe on dense features: from twenty masks to a probability for every cell.

`PublishedProbe` is the published solution of the competition (S. Asandei, roai-solved, 2025) as it stands: hard labels,
scikit-learn's logistic regression, one `predict_proba` call per cell, one dilation. `published_masks` gives the very
same masks of the same maps at once; maps out of one matrix product may differ in the last digit. `soft_labels` are what
`ridge_probe` learns from: the share of each cell that is animal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

__all__ = ["PublishedProbe", "hard_labels", "published_mask", "published_masks", "soft_labels"]

CANVAS = 224  # the published solution's working size in pixels

Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]


def hard_labels(masks: Sequence[Mask], grid: int) -> NDArray[np.int64]:
    """Shrink masks to (number, grid, grid) labels 0/1 by taking the nearest pixel: the published labels."""
    shrunk = [Image.fromarray(mask.astype(np.uint8)).resize((grid, grid), Image.Resampling.NEAREST) for mask in masks]
    return np.stack([np.asarray(image) for image in shrunk]).astype(np.int64)


def soft_labels(masks: Sequence[Mask], grid: int) -> Maps:
    """Shrink masks to (number, grid, grid) shares 0..1: how much of each cell is animal."""
    shrunk = [Image.fromarray(mask.astype(np.float32)).resize((grid, grid), Image.Resampling.BOX) for mask in masks]
    return np.asarray(np.clip(np.stack([np.asarray(image) for image in shrunk]), 0.0, 1.0))


# --------------------------------------------------------------------------------------- the published solution


class PublishedProbe:
    """The published probe: hard labels, logistic regression with C = 1, cells predicted one by one."""

    def __init__(self) -> None:
        """Make an unfitted probe."""
        self.regression = LogisticRegression(max_iter=1000)

    def fit(self, features: Maps, masks: Sequence[Mask]) -> PublishedProbe:
        """Learn from features (pictures, grid, grid, width) and the pictures' masks."""
        labels = hard_labels(masks, features.shape[1])
        self.regression.fit(features.reshape(-1, features.shape[-1]), labels.ravel())
        return self

    def predict_cell_by_cell(self, features: Maps) -> NDArray[np.float64]:
        """Return one picture's (grid, grid) probabilities from its (grid, grid, width) features, the published way."""
        rows, columns = features.shape[:2]
        heat = np.zeros((rows, columns))
        for i in range(rows):
            for j in range(columns):
                heat[i, j] = self.regression.predict_proba([features[i, j]])[0, 1]
        return heat

    def predict(self, features: Maps) -> NDArray[np.float64]:
        """Return (..., ) probabilities of features (..., width) in one matrix product."""
        flat = self.regression.predict_proba(features.reshape(-1, features.shape[-1]))[:, 1]
        return np.asarray(flat.reshape(features.shape[:-1]))


def published_mask(heat: NDArray[np.float64], size: tuple[int, int]) -> Mask:
    """Turn one (grid, grid) map into a mask of `size` (height, width) by the published steps.

    Bilinear to 224 x 224, above one half, one dilation by a cross, nearest pixel to the picture's size.
    """
    canvas = functional.interpolate(
        torch.tensor(heat)[None, None], size=(CANVAS, CANVAS), mode="bilinear", align_corners=False
    )
    mask = ndimage.binary_dilation((canvas.squeeze().numpy() > 0.5).astype(np.uint8), iterations=1)
    resized = Image.fromarray(mask.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST)
    return np.asarray(resized).astype(bool)


def published_masks(heats: NDArray[np.float64], sizes: Sequence[tuple[int, int]]) -> list[Mask]:
    """Give the masks of `published_mask` for many (number, grid, grid) maps at once, bit for bit."""
    canvas = functional.interpolate(
        torch.from_numpy(heats)[:, None], size=(CANVAS, CANVAS), mode="bilinear", align_corners=False
    )
    above = canvas[:, 0].numpy() > 0.5
    wide = above.copy()
    wide[:, 1:] |= above[:, :-1]
    wide[:, :-1] |= above[:, 1:]
    wide[:, :, 1:] |= above[:, :, :-1]
    wide[:, :, :-1] |= above[:, :, 1:]
    return [_nearest(mask, size) for mask, size in zip(wide, sizes, strict=True)]


def _nearest(mask: Mask, size: tuple[int, int]) -> Mask:
    rows, columns = (_nearest_indices(m, n) for m, n in zip(mask.shape, size, strict=True))
    return mask.take(rows, axis=0).take(columns, axis=1)


@lru_cache(maxsize=256)
def _nearest_indices(old: int, new: int) -> NDArray[np.int32]:
    """Return which of `old` pixels Pillow takes for each of `new` (it sums steps, so a formula can differ by one)."""
    line = Image.fromarray(np.arange(old, dtype=np.int32)[None]).resize((new, 1), Image.Resampling.NEAREST)
    return np.asarray(np.asarray(line)[0])
