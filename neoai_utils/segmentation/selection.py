"""Leave-one-picture-out selection: every number is chosen on pictures that the fit has not seen.

Cells of one picture resemble each other, so a random split of cells leaks (the published notebook's cell accuracy of
96 % is of that kind). Here a whole picture is held out each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from neoai_utils.arrays import Float32, Float64, Mask
from neoai_utils.segmentation.metric import iou
from neoai_utils.segmentation.refine import upsample
from neoai_utils.segmentation.ridge_probe import RidgeProbe, left_out

__all__ = [
    "PENALTIES",
    "THRESHOLDS",
    "MaskProbe",
    "best_threshold",
    "choose_penalty",
    "map_threshold",
    "threshold_curve",
]

PENALTIES: tuple[float, ...] = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
THRESHOLDS: tuple[float, ...] = tuple(np.round(np.arange(0.1, 0.8001, 0.02), 2).tolist())


def choose_penalty(
    features: Float32, masks: Sequence[Mask], penalties: Sequence[float] = PENALTIES
) -> tuple[float, Float32]:
    """Return the ridge penalty with the best left-out mean IoU, each at its best threshold, and its left-out maps.

    Args:
        features: (pictures, grid, grid, width) float32.
        masks: the pictures' masks, (height, width) bool each.
        penalties: candidates.

    Returns:
        The penalty, and maps (pictures, grid, grid) float32.
    """
    candidates = left_out(features, masks, penalties)

    def score(penalty: float) -> float:
        return float(threshold_curve(_enlarged(candidates[penalty], masks), masks).max())

    best = max(penalties, key=score)
    return best, candidates[best]


class MaskProbe:
    """A ridge probe with a threshold, both chosen by leaving one picture out.

    Attributes:
        penalty: the ridge penalty of `choose_penalty`.
        threshold: pixels of the enlarged map at or above are animal.
        left_out: maps (pictures, grid, grid) float32 of the fitted pictures, each from a probe that has not seen it.
        probe: the `RidgeProbe` fitted to all pictures.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES) -> None:
        """Make an unfitted probe that chooses among `penalties`."""
        self.penalties = penalties

    def fit(self, features: Float32, masks: Sequence[Mask]) -> MaskProbe:
        """Fit to features (pictures, grid, grid, width) float32 and the pictures' masks."""
        self.penalty, self.left_out = choose_penalty(features, masks, self.penalties)
        self.threshold = map_threshold(self.left_out, masks)
        self.probe = RidgeProbe(self.penalty).fit(features, masks)
        return self

    def predict(self, features: Float32, sizes: Iterable[tuple[int, int]]) -> list[Mask]:
        """Return the masks of pictures with features (pictures, grid, grid, width) and `sizes` (height, width)."""
        return self.masks(self.probe.predict(features), sizes)

    def masks(self, maps: Float32, sizes: Iterable[tuple[int, int]]) -> list[Mask]:
        """Enlarge maps (pictures, grid, grid), for example `left_out`, to `sizes` and apply the threshold."""
        return [upsample(heat, size) >= self.threshold for heat, size in zip(maps, sizes, strict=True)]


def map_threshold(maps: Float32, masks: Sequence[Mask]) -> float:
    """Return the best threshold of coarse maps (pictures, grid, grid), enlarged to the sizes of their masks."""
    return best_threshold(threshold_curve(_enlarged(maps, masks), masks))


def _enlarged(maps: Float32, masks: Sequence[Mask]) -> Iterable[Float32]:
    """Resize maps (pictures, grid, grid) to the sizes of their masks, one at a time."""
    return (upsample(heat, (mask.shape[0], mask.shape[1])) for heat, mask in zip(maps, masks, strict=True))


def threshold_curve(
    maps: Iterable[Float32],
    masks: Sequence[Mask],
    thresholds: Sequence[float] = THRESHOLDS,
    clean: Callable[[Mask], Mask] | None = None,
) -> Float64:
    """Return the mean IoU at every threshold, (thresholds,) float64.

    Args:
        maps: (height, width) float32 each, of the pictures' sizes.
        masks: the true masks, (height, width) bool each.
        thresholds: ascending.
        clean: applied to every thresholded mask, for example to keep its largest part. Without it one pass over the
            pixels serves all thresholds.
    """
    rows = zip(maps, masks, strict=True)
    if clean is None:
        return np.asarray(np.mean([_ious(heat, mask, thresholds) for heat, mask in rows], axis=0))
    return np.asarray(np.mean([[iou(clean(heat >= t), mask) for t in thresholds] for heat, mask in rows], axis=0))


def _ious(heat: Float32, mask: Mask, thresholds: Sequence[float]) -> Float64:
    """Return the IoU of `heat >= t` with the mask for every t, from the pixel counts between the thresholds."""
    reached = np.searchsorted(np.asarray(thresholds, dtype=heat.dtype), heat.ravel(), side="right")
    above, hit = (
        np.bincount(part, minlength=len(thresholds) + 1)[::-1].cumsum()[::-1][1:]
        for part in (reached, reached[mask.ravel()])
    )
    union = above + np.count_nonzero(mask) - hit
    return np.where(union == 0, 1.0, hit / np.maximum(union, 1))


def best_threshold(curve: Float64, thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return the threshold at the maximum of a `threshold_curve`, the middle one of ties."""
    top = np.flatnonzero(curve >= curve.max() - 1e-9)
    return float(thresholds[top[len(top) // 2]])
