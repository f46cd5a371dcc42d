"""Choices by leaving one picture out: every number is picked on pictures that the fit has not seen.

Cells of one picture resemble each other, so a random split of cells lets the fit peek (the published notebook's 96 %
cell accuracy is of that kind). Here a whole picture is held out each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from neoai_utils.segmentation.files import iou
from neoai_utils.segmentation.patch_probe import cells_of_views, fit_soft_logistic, sigmoid
from neoai_utils.segmentation.refine import upsample

__all__ = [
    "STRENGTHS",
    "THRESHOLDS",
    "best_threshold",
    "choose_strength",
    "curves_of",
    "left_out_probabilities",
    "threshold_curve",
]

Mask = NDArray[np.bool_]
Maps = NDArray[np.float32]
STRENGTHS: tuple[float, ...] = (0.3, 1.0, 3.0, 10.0)
THRESHOLDS: tuple[float, ...] = tuple(np.round(np.arange(0.2, 0.8001, 0.02), 2).tolist())


def left_out_probabilities(views: Sequence[Maps], masks: Sequence[Mask], inverse_strength: float) -> Maps:
    """Return each picture's probabilities from a soft probe fitted on all other pictures.

    Args:
        views: each (pictures, grid, grid, width), see `patch_probe.SoftProbe`.
        masks: the pictures' masks.
        inverse_strength: the probe's C.

    Returns:
        (pictures, grid, grid) float32.
    """
    number, rows, columns, _ = views[0].shape
    cells, labels = cells_of_views(views, masks)
    others = np.repeat(1.0 - np.eye(number, dtype=np.float32), rows * columns, axis=0) / len(views)
    vectors, offsets = fit_soft_logistic(cells, labels, inverse_strength, np.tile(others, (len(views), 1)))
    heats = [sigmoid(np.einsum("nrcw,wn->nrc", v, vectors, optimize=True) + offsets[:, None, None]) for v in views]
    return np.asarray(np.mean(heats, axis=0), dtype=np.float32)


def choose_strength(
    views: Sequence[Maps], masks: Sequence[Mask], strengths: Sequence[float] = STRENGTHS
) -> tuple[float, Maps]:
    """Return the C with the best left-out mean IoU (each at its own best threshold), and its left-out maps."""
    tried = {c: left_out_probabilities(views, masks, c) for c in strengths}

    def score(c: float) -> float:
        heats = [upsample(heat, (mask.shape[0], mask.shape[1])) for heat, mask in zip(tried[c], masks, strict=True)]
        return float(threshold_curve(heats, masks).max())

    best = max(strengths, key=score)
    return best, tried[best]


def threshold_curve(
    maps: Iterable[NDArray[np.float32]],
    masks: Sequence[Mask],
    thresholds: Sequence[float] = THRESHOLDS,
    clean: Callable[[Mask], Mask] | None = None,
) -> NDArray[np.float64]:
    """Return the mean IoU at every threshold, of probability maps at the pictures' own sizes.

    `clean` is applied to every thresholded mask, for example to keep its largest part.
    """
    scores = [
        [iou(clean(heat >= t) if clean else heat >= t, mask) for t in thresholds]
        for heat, mask in zip(maps, masks, strict=True)
    ]
    return np.asarray(np.mean(scores, axis=0))


def curves_of(
    refiners: Mapping[str, Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]],
    images: Sequence[NDArray[np.uint8]],
    maps: Maps,
    masks: Sequence[Mask],
    clean: Callable[[Mask], Mask] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return the threshold curve of every refiner, a function of picture and left-out map giving a map of its size."""
    return {name: threshold_curve(map(refiner, images, maps), masks, clean=clean) for name, refiner in refiners.items()}


def best_threshold(curve: NDArray[np.float64], thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return the threshold at the top of a curve, the middle one of ties."""
    top = np.flatnonzero(curve >= curve.max() - 1e-9)
    return float(thresholds[top[len(top) // 2]])
