"""Linear probes on dense features: from twenty masks to a probability for every cell.

`PublishedProbe` is the published solution of the competition (S. Asandei, roai-solved, 2025) as it stands: hard labels,
scikit-learn's logistic regression, one `predict_proba` call per cell, one dilation. `published_masks` gives the very
same masks in one matrix product. `SoftProbe` learns from *soft* labels: the share of each cell that is animal.
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

__all__ = [
    "PublishedProbe", "SoftProbe", "cells_of_views", "fit_soft_logistic", "hard_labels", "published_mask",
    "published_masks", "sigmoid", "soft_labels",
]  # fmt: skip

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


# --------------------------------------------------------------------------------------------- soft labels


def fit_soft_logistic(
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    inverse_strength: float,
    weights: NDArray[np.float32] | None = None,
    steps: int = 80,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit several logistic regressions on soft labels at once, by L-BFGS.

    Every problem minimises `sum_i w_i * cross_entropy(label_i, sigmoid(x_i . v + b)) + |v|² / (2 C)`, which is
    scikit-learn's objective with the label allowed to be a share. All problems see the same rows with weights of their
    own (zero leaves a row out), so one matrix product serves all folds of a cross-validation.

    Args:
        features: (rows, width).
        labels: (rows,) in 0..1.
        inverse_strength: C.
        weights: (rows, problems); None: one problem with all weights 1.
        steps: at most so many L-BFGS iterations.

    Returns:
        Vectors (width, problems) and offsets (problems,).
    """
    x, y = torch.from_numpy(features), torch.from_numpy(labels)[:, None]
    w = torch.ones(len(x), 1) if weights is None else torch.from_numpy(weights)
    middle = x.mean(0)
    x = x - middle  # the offset takes this up; centred columns make L-BFGS much faster
    vectors = torch.zeros(x.shape[1], w.shape[1], requires_grad=True)
    offsets = torch.zeros(w.shape[1], requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [vectors, offsets], max_iter=steps, history_size=10, tolerance_grad=1e-6, line_search_fn="strong_wolfe"
    )
    y_all = y.expand(-1, w.shape[1])

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = functional.binary_cross_entropy_with_logits(x @ vectors + offsets, y_all, weight=w, reduction="sum")
        value = (entropy + vectors.square().sum() / (2 * inverse_strength)) / len(x)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    found = vectors.detach()
    return found.numpy(), (offsets.detach() - middle @ found).numpy()


class SoftProbe:
    """Logistic regression from cells to the share of the cell that is animal, on one or several views of a picture.

    A view is a way to look: plain, mirrored, shifted by half a patch. All views share one regression; a cell's
    probability is the mean over its views.
    """

    def __init__(self, inverse_strength: float = 1.0) -> None:
        """Make an unfitted probe with regularisation C = `inverse_strength`."""
        self.inverse_strength = inverse_strength

    def fit(self, views: Sequence[Maps], masks: Sequence[Mask]) -> SoftProbe:
        """Learn from views, each (pictures, grid, grid, width), and the pictures' masks."""
        cells, labels = cells_of_views(views, masks)
        weights = np.full((len(cells), 1), 1 / len(views), dtype=np.float32)
        self.vector, self.offset = fit_soft_logistic(cells, labels, self.inverse_strength, weights)
        return self

    def predict(self, views: Sequence[Maps]) -> Maps:
        """Return probabilities (...,), the mean over views, each (..., width)."""
        heats = [sigmoid((view @ self.vector)[..., 0] + self.offset[0]) for view in views]
        return np.asarray(np.mean(heats, axis=0))


def cells_of_views(views: Sequence[Maps], masks: Sequence[Mask]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the cells of all views, (views * pictures * grid * grid, width), with their soft labels, (same,)."""
    labels = soft_labels(masks, views[0].shape[1]).ravel()
    cells = np.concatenate([view.reshape(-1, view.shape[-1]) for view in views])
    return np.ascontiguousarray(cells), np.tile(labels, len(views))


def sigmoid(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + exp(-scores))."""
    return np.asarray(1.0 / (1.0 + np.exp(-scores)), dtype=np.float32)
