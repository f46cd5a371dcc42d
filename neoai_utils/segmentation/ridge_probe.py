"""Ridge regression from cells to the share of the cell that is animal, and a second look within one picture.

A square loss has a closed solution that needs only sums over the cells (products of features, products with the
labels). The sums of one picture can be taken out of the total, so a probe that has not seen a picture costs one small
linear system and no second pass over the cells; the same holds for a probe that has not seen two (`left_out_pairs`).

The second look is stacked generalisation (Wolpert 1992, "Stacked generalization"): a tiny regression on what the first
map says about a cell, its neighbourhood and its likeness to this picture's own animal.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, ndimage

from neoai_utils.segmentation.patch_probe import soft_labels

__all__ = ["RidgeProbe", "centred", "left_out", "left_out_pairs", "left_out_second", "second_look"]

Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]
_SPREADS = (1.0, 2.0, 4.0)  # cells; of the Gaussian means over the neighbourhood
_SURENESS = 3  # power of the map that weighs a cell in its picture's mean animal and mean ground


def centred(features: Maps) -> Maps:
    """Take each picture's mean off its cells: (pictures, rows, columns, width), same shape.

    What stays is how a cell differs from the rest of its picture.
    """
    return np.asarray(features - features.mean(axis=(1, 2), keepdims=True), dtype=np.float32)


@dataclass(frozen=True)
class _Sums:
    """Per picture: products (n, w, w), those with labels (n, w), features (n, w), labels (n,); cells of a picture."""

    products: Maps
    targets: Maps
    features: Maps
    labels: Maps
    cells: int

    @cached_property
    def totals(self) -> tuple[Maps, Maps, Maps, Maps]:
        """All pictures' sums together; added up once, for the products of a wide transformer fill memory."""
        return self.products.sum(0), self.targets.sum(0), self.features.sum(0), self.labels.sum(0)

    def solution(self, penalty: float, without: Collection[int] = ()) -> tuple[Maps, float]:
        """Return slope (w,) and offset of the regression on all pictures but some."""
        out = list(without)
        parts = (self.products, self.targets, self.features, self.labels)
        products, targets, features, labels = (
            total - part[out].sum(axis=0) for total, part in zip(self.totals, parts, strict=True)
        )
        number = self.cells * (len(self.labels) - len(out))
        spread = products - np.outer(features, features) / number
        shared = targets - features * (labels / number)
        spread[np.diag_indices_from(spread)] += penalty
        slope = linalg.solve(spread, shared, assume_a="pos", overwrite_a=True, check_finite=False)
        return slope, float((labels - features @ slope) / number)


def _sums(features: Maps, masks: Sequence[Mask]) -> _Sums:
    cells = features.reshape(len(features), -1, features.shape[-1])
    labels = soft_labels(masks, features.shape[1]).reshape(len(features), -1)
    products = np.stack([x.T @ x for x in cells])
    targets = np.stack([x.T @ y for x, y in zip(cells, labels, strict=True)])
    return _Sums(products, targets, cells.sum(axis=1), labels.sum(axis=1), cells.shape[1])


class RidgeProbe:
    """Linear least squares on soft labels with the penalty `penalty * |slope|²`; the offset is free."""

    def __init__(self, penalty: float = 1.0) -> None:
        """Make an unfitted probe."""
        self.penalty = penalty

    def fit(self, features: Maps, masks: Sequence[Mask]) -> RidgeProbe:
        """Learn from features (pictures, grid, grid, width) and the pictures' masks."""
        self.slope, self.offset = _sums(features, masks).solution(self.penalty)
        return self

    def predict(self, features: Maps) -> Maps:
        """Return estimated shares (...,) of features (..., width); they may lie a little outside 0..1."""
        return np.asarray(features @ self.slope + self.offset, dtype=np.float32)


def left_out(features: Maps, masks: Sequence[Mask], penalties: Sequence[float]) -> dict[float, Maps]:
    """Return for every penalty each picture's map (pictures, grid, grid) from a probe fitted on the others."""
    sums = _sums(features, masks)
    result = {}
    for penalty in penalties:
        fits = (sums.solution(penalty, (i,)) for i in range(len(features)))
        maps = [picture @ slope + offset for picture, (slope, offset) in zip(features, fits, strict=True)]
        result[penalty] = np.asarray(maps, dtype=np.float32)
    return result


def left_out_pairs(features: Maps, masks: Sequence[Mask], penalty: float) -> Maps:
    """Return maps [i, j]: picture j's from a probe that has seen neither i nor j, (pictures, pictures, grid, grid).

    The diagonal is `left_out`. Row i is what a fair second look that leaves picture i out may learn from.
    """
    sums, number = _sums(features, masks), len(features)
    maps = np.zeros((number, *features.shape[:3]), dtype=np.float32)
    for i in range(number):
        for j in range(i, number):
            slope, offset = sums.solution(penalty, {i, j})
            maps[i, j] = features[j] @ slope + offset
            maps[j, i] = features[i] @ slope + offset
    return maps


def second_look(features: Maps, maps: Maps) -> Maps:
    """Return five numbers for each cell, (pictures, rows, columns, 5).

    The first is the cell's likeness to this picture's own animal as against its own ground: the cell's features, seen
    from half-way between the mean animal and the mean ground (means weighted by the map), along the direction from
    one to the other. Then the map itself, and its Gaussian means over three neighbourhoods.

    Args:
        features: (pictures, rows, columns, width).
        maps: (pictures, rows, columns) estimates of the share that is animal.
    """
    likely = np.clip(maps, 0.0, 1.0)
    animal, ground = (_weighted_mean(features, weights**_SURENESS) for weights in (likely, 1.0 - likely))
    direction = animal - ground
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True) + 1e-9
    middle = (animal + ground)[:, None, None] / 2
    likeness = np.einsum("nrcw,nw->nrc", features - middle, direction)
    around = [ndimage.gaussian_filter(maps, (0.0, spread, spread)) for spread in _SPREADS]
    return np.asarray(np.stack([likeness, maps, *around], axis=-1), dtype=np.float32)


def _weighted_mean(features: Maps, weights: Maps) -> Maps:
    total = weights.sum(axis=(1, 2))[:, None] + 1e-9
    return np.asarray(np.einsum("nrcw,nrc->nw", features, weights) / total)


def left_out_second(features: Maps, masks: Sequence[Mask], penalty: float, second_penalty: float = 1.0) -> Maps:
    """Return each picture's map (pictures, grid, grid) from two looks of which neither has seen its mask."""
    pairs = left_out_pairs(features, masks, penalty)
    maps = []
    for i, first in enumerate(pairs):
        looks = second_look(features, first)
        slope, offset = _sums(looks, masks).solution(second_penalty, (i,))
        maps.append(looks[i] @ slope + offset)
    return np.asarray(maps, dtype=np.float32)
