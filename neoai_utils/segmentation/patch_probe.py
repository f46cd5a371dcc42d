"""The published probe on dense features: from twenty masks to a probability for every cell.

`PublishedProbe` is the published solution of the competition (S. Asandei, roai-solved, 2025) unchanged: hard labels,
scikit-learn's logistic regression, one `predict_proba` call per cell, one dilation. `published_masks` computes the same
masks from all maps at once, bit for bit; maps from one matrix product may differ in the last digit.
`ridge_probe` learns from `soft_labels` instead: the share of each cell that is animal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from torch.nn import functional

from neoai_utils.arrays import Float32, Float64, Integers, Mask
from neoai_utils.runtime import progress

__all__ = [
    "PublishedProbe", "hard_labels", "left_out_published", "published_mask", "published_masks", "soft_labels",
]  # fmt: skip

CANVAS = 224  # the published solution's working size in pixels


def hard_labels(masks: Sequence[Mask], grid: int) -> Integers:
    """Shrink masks to (number, grid, grid) int64 labels 0 and 1 by the nearest pixel: the published labels."""
    shrunk = [Image.fromarray(mask.astype(np.uint8)).resize((grid, grid), Image.Resampling.NEAREST) for mask in masks]
    return np.stack([np.asarray(image) for image in shrunk]).astype(np.int64)


def soft_labels(masks: Sequence[Mask], grid: int) -> Float32:
    """Shrink masks to (number, grid, grid) float32 shares 0..1: how much of each cell is animal."""
    shrunk = [Image.fromarray(mask.astype(np.float32)).resize((grid, grid), Image.Resampling.BOX) for mask in masks]
    return np.asarray(np.clip(np.stack([np.asarray(image) for image in shrunk]), 0.0, 1.0))


class PublishedProbe:
    """The published probe: logistic regression with C = 1 on hard labels."""

    def __init__(self) -> None:
        """Make an unfitted probe."""
        self.regression = LogisticRegression(max_iter=1000)

    def fit(self, features: Float32, masks: Sequence[Mask]) -> PublishedProbe:
        """Fit to features (pictures, grid, grid, width) float32 and the pictures' masks."""
        labels = hard_labels(masks, features.shape[1])
        self.regression.fit(features.reshape(-1, features.shape[-1]), labels.ravel())
        return self

    def predict_cell_by_cell(self, features: Float32) -> Float64:
        """Return one picture's (grid, grid) float64 probabilities from (grid, grid, width) features, as published."""
        rows, columns = features.shape[:2]
        heat = np.zeros((rows, columns))
        for i in range(rows):
            for j in range(columns):
                heat[i, j] = self.regression.predict_proba([features[i, j]])[0, 1]
        return heat

    def predict(self, features: Float32) -> Float64:
        """Return (...,) float64 probabilities of features (..., width) in one matrix product."""
        flat = self.regression.predict_proba(features.reshape(-1, features.shape[-1]))[:, 1]
        return np.asarray(flat.reshape(features.shape[:-1]))


def left_out_published(features: Float32, masks: Sequence[Mask]) -> Float64:
    """Return the maps of published probes that have not seen the picture: each is fitted to the other pictures.

    Args:
        features: (pictures, grid, grid, width) float32, of two pictures at least.
        masks: the pictures' masks.

    Returns:
        (pictures, grid, grid) float64 probabilities.
    """
    maps = []
    for left in progress(range(len(features)), "published probe, leaving one picture out"):
        others = [index for index in range(len(features)) if index != left]
        probe = PublishedProbe().fit(features[others], [masks[index] for index in others])
        maps.append(probe.predict(features[left]))
    return np.stack(maps)


def published_mask(heat: Float64, size: tuple[int, int]) -> Mask:
    """Turn one (grid, grid) map into a mask of `size` (height, width) by the published steps.

    Bilinear to 224 x 224, greater than one half, one dilation by a cross, nearest pixel to the picture's size.
    """
    canvas = functional.interpolate(
        torch.tensor(heat)[None, None], size=(CANVAS, CANVAS), mode="bilinear", align_corners=False
    )
    mask = ndimage.binary_dilation((canvas.squeeze().numpy() > 0.5).astype(np.uint8), iterations=1)
    resized = Image.fromarray(mask.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST)
    return np.asarray(resized).astype(bool)


def published_masks(heats: Float64, sizes: Sequence[tuple[int, int]]) -> list[Mask]:
    """Return the masks of `published_mask` for (number, grid, grid) maps, bit for bit the same, at once."""
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
def _nearest_indices(old: int, new: int) -> Integers:
    """Return which of `old` pixels Pillow takes for each of `new`; it adds up steps, so a formula may be off by one."""
    line = Image.fromarray(np.arange(old, dtype=np.int32)[None]).resize((new, 1), Image.Resampling.NEAREST)
    return np.asarray(np.asarray(line)[0], dtype=np.int64)
