"""Ridge regression from cells to the share of the cell that is animal, and a second stage within one picture.

A square loss has a closed solution that needs only sums over the cells (products of features, products with the
labels). Subtracting one picture's sums from the total gives a probe that has not seen the picture, for the price of one
small linear system and no second pass over the cells; the same holds for two pictures (`left_out_pairs`).
scikit-learn's Ridge would refit on all cells for each left-out picture.

The second stage is stacked generalisation (Wolpert 1992, "Stacked generalization"): a tiny regression on the first map
at a cell and in its neighbourhood, and on the cell's similarity to this picture's animal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import linalg, ndimage

from neoai_utils.arrays import Float32, Mask
from neoai_utils.runtime import progress
from neoai_utils.segmentation.patch_probe import soft_labels

__all__ = [
    "CellSums", "PictureSums", "RidgeProbe", "centred", "left_out", "left_out_pairs", "left_out_second",
    "second_stage", "two_stage_maps",
]  # fmt: skip

_SIGMAS = (1.0, 2.0, 4.0)  # cells; of the Gaussian means over the neighbourhood
_POWER = 3  # of the map, as a cell's weight in its picture's mean animal and mean background


def centred(features: Float32) -> Float32:
    """Subtract each picture's mean from its cells; (pictures, rows, columns, width) float32, same shape.

    The result says how a cell differs from the rest of its picture.
    """
    return np.asarray(features - features.mean(axis=(1, 2), keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class CellSums:
    """Sums over cells with features of width w, float32: all that a ridge regression needs.

    Attributes:
        products: (w, w), of products of features.
        targets: (w,), of products of features and labels.
        features: (w,).
        labels: of the labels.
        cells: number of the cells, or their weight.
    """

    products: Float32
    targets: Float32
    features: Float32
    labels: float
    cells: float

    def plus(self, other: CellSums, weight: float = 1.0) -> CellSums:
        """Return the sums over both sets of cells, the other's with a weight."""
        return CellSums(
            self.products + np.float32(weight) * other.products,
            self.targets + np.float32(weight) * other.targets,
            self.features + np.float32(weight) * other.features,
            self.labels + weight * other.labels,
            self.cells + weight * other.cells,
        )

    def solution(self, penalty: float) -> tuple[Float32, float]:
        """Return slope (w,) and offset of the regression; the offset has no penalty."""
        spread = self.products - np.outer(self.features, self.features) / np.float32(self.cells)
        shared = self.targets - self.features * np.float32(self.labels / self.cells)
        spread[np.diag_indices_from(spread)] += penalty
        slope = linalg.solve(spread, shared, assume_a="pos", overwrite_a=True, check_finite=False)
        return slope, float((self.labels - self.features @ slope) / self.cells)


@dataclass(frozen=True)
class PictureSums:
    """The sums of `CellSums` for each of n pictures; pictures are left out by subtraction.

    Attributes:
        products: (n, w, w).
        targets: (n, w).
        features: (n, w).
        labels: (n,).
        cells: number of cells of a picture.
    """

    products: Float32
    targets: Float32
    features: Float32
    labels: Float32
    cells: int

    @classmethod
    def of(cls, features: Float32, masks: Sequence[Mask]) -> PictureSums:
        """Sum over features (n, grid, grid, w) float32, the masks' shares as labels."""
        cells = features.reshape(len(features), -1, features.shape[-1])
        labels = soft_labels(masks, features.shape[1]).reshape(len(features), -1)
        products = np.stack([x.T @ x for x in cells])
        targets = np.stack([x.T @ y for x, y in zip(cells, labels, strict=True)])
        return cls(products, targets, cells.sum(axis=1), labels.sum(axis=1), cells.shape[1])

    @cached_property
    def totals(self) -> tuple[Float32, Float32, Float32, Float32]:
        """The sums over all pictures, computed once, because the products of a wide transformer fill memory."""
        return self.products.sum(0), self.targets.sum(0), self.features.sum(0), self.labels.sum(0)

    def without(self, *out: int) -> CellSums:
        """Return the sums over all pictures except those `out`."""
        rows = list(out)
        parts = (self.products, self.targets, self.features, self.labels)
        kept = (total - part[rows].sum(axis=0) for total, part in zip(self.totals, parts, strict=True))
        products, targets, features, labels = kept
        return CellSums(products, targets, features, float(labels), self.cells * (len(self.labels) - len(rows)))


class RidgeProbe:
    """Linear least squares on soft labels with the penalty `penalty * |slope|²`; the offset has no penalty."""

    def __init__(self, penalty: float = 1.0) -> None:
        """Make an unfitted probe."""
        self.penalty = penalty

    def fit(self, features: Float32, masks: Sequence[Mask]) -> RidgeProbe:
        """Fit to features (pictures, grid, grid, width) float32 and the pictures' masks."""
        self.slope, self.offset = PictureSums.of(features, masks).without().solution(self.penalty)
        return self

    def predict(self, features: Float32) -> Float32:
        """Return estimated shares (...,) float32 of features (..., width); they may lie slightly outside 0..1."""
        return np.asarray(features @ self.slope + self.offset, dtype=np.float32)


def left_out(features: Float32, masks: Sequence[Mask], penalties: Sequence[float]) -> dict[float, Float32]:
    """Return penalty -> maps (pictures, grid, grid) float32, each from a probe fitted to the other pictures."""
    sums = PictureSums.of(features, masks)
    result = {}
    for penalty in penalties:
        fits = (sums.without(i).solution(penalty) for i in range(len(features)))
        maps = [picture @ slope + offset for picture, (slope, offset) in zip(features, fits, strict=True)]
        result[penalty] = np.asarray(maps, dtype=np.float32)
    return result


def left_out_pairs(features: Float32, masks: Sequence[Mask], penalty: float) -> Float32:
    """Return maps [i, j] of picture j from a probe that has seen neither i nor j, (pictures, pictures, grid, grid).

    The diagonal is `left_out`. A second stage that leaves picture i out must be fitted to row i.
    """
    sums, number = PictureSums.of(features, masks), len(features)
    maps = np.zeros((number, *features.shape[:3]), dtype=np.float32)
    for i in progress(range(number), "leaving two pictures out"):
        for j in range(i, number):
            slope, offset = sums.without(*{i, j}).solution(penalty)
            maps[i, j] = features[j] @ slope + offset
            maps[j, i] = features[i] @ slope + offset
    return maps


def second_stage(features: Float32, maps: Float32) -> Float32:
    """Return the second stage's five features of each cell, (pictures, rows, columns, 5) float32.

    The first is the cell's similarity to this picture's animal minus that to its background: the cell's features
    relative to the midpoint of the mean animal and the mean background (means weighted by the map), projected on the
    direction from one to the other. The others are the map and its Gaussian means over three neighbourhoods.

    Args:
        features: (pictures, rows, columns, width) float32.
        maps: (pictures, rows, columns) float32, estimates of the share that is animal.
    """
    shares = np.clip(maps, 0.0, 1.0)
    animal, background = (_weighted_mean(features, weights**_POWER) for weights in (shares, 1.0 - shares))
    direction = animal - background
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True) + 1e-9
    middle = np.sum((animal + background) / 2 * direction, axis=-1)
    similarity = np.einsum("nrcw,nw->nrc", features, direction) - middle[:, None, None]
    around = [ndimage.gaussian_filter(maps, (0.0, sigma, sigma)) for sigma in _SIGMAS]
    return np.asarray(np.stack([similarity, maps, *around], axis=-1), dtype=np.float32)


def two_stage_maps(features: Float32, first: RidgeProbe, second: RidgeProbe) -> Float32:
    """Return the maps of both stages, (pictures, 2, rows, columns) float32.

    Args:
        features: (pictures, rows, columns, width) float32.
        first: fitted to such features.
        second: fitted to `second_stage` of features and the first one's left-out maps.
    """
    heat = first.predict(features)
    return np.stack([heat, second.predict(second_stage(features, heat))], axis=1)


def _weighted_mean(features: Float32, weights: Float32) -> Float32:
    total = weights.sum(axis=(1, 2))[:, None] + 1e-9
    return np.asarray(np.einsum("nrcw,nrc->nw", features, weights) / total)


def left_out_second(features: Float32, masks: Sequence[Mask], penalty: float) -> Float32:
    """Return each picture's map after two stages, neither of which has seen its mask: (pictures, grid, grid) float32.

    Args:
        features: (pictures, grid, grid, width) float32.
        masks: the pictures' masks.
        penalty: of the first stage; the second has that of a default `RidgeProbe`.
    """
    pairs = left_out_pairs(features, masks, penalty)
    maps = []
    for i, first in enumerate(pairs):
        inputs = second_stage(features, first)
        slope, offset = PictureSums.of(inputs, masks).without(i).solution(RidgeProbe().penalty)
        maps.append(inputs[i] @ slope + offset)
    return np.asarray(maps, dtype=np.float32)
