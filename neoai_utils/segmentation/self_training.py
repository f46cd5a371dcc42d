"""Self-training: a ridge probe that also learns from pictures without masks.

A first probe guesses the labels of these pictures, and a second probe is fitted to both kinds. The guesses contain no
new truth, but where the first probe is nearly sure it is mostly right, and there the second one learns what animals and
backgrounds look like in many more pictures.

Source: Scudder 1965, "Probability of error of some adaptive pattern-recognition machines". With the sums of
`ridge_probe` the pictures without masks are read once, in batches, for all left-out probes together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from neoai_utils.arrays import Float32, Mask
from neoai_utils.errors import ParameterError
from neoai_utils.segmentation.ridge_probe import CellSums, PictureSums, RidgeProbe
from neoai_utils.segmentation.selection import MaskProbe, map_threshold

__all__ = ["self_trained"]

_WIDTH = np.float32(0.2)  # of the first map's values around the threshold in which a guess goes from 0 to 1


def self_trained(first: MaskProbe, features: Float32, masks: Sequence[Mask], pool: Iterable[Float32]) -> MaskProbe:
    """Return a probe fitted to labelled pictures and to others whose labels a first probe has guessed.

    All other pictures together weigh as much as the labelled ones, and the penalty is doubled with the weight. A
    left-out picture counts as one of the others: its first probe, and all labels that this probe has guessed, have not
    seen its mask.

    Args:
        first: fitted to the labelled pictures; its penalty and threshold are used.
        features: (pictures, grid, grid, width) float32 of the labelled pictures, of two at least.
        masks: their masks.
        pool: features of the other pictures in batches of the same form; read once.

    Raises:
        ParameterError: the pool is empty.
    """
    taught = MaskProbe((2 * first.penalty,))
    taught.penalty = 2 * first.penalty
    taught.probe, taught.left_out = _second_fits(features, masks, pool, first.penalty, first.threshold)
    taught.threshold = map_threshold(taught.left_out, masks)
    return taught


def _second_fits(
    features: Float32, masks: Sequence[Mask], pool: Iterable[Float32], penalty: float, threshold: float
) -> tuple[RidgeProbe, Float32]:
    """Return the probe and the labelled pictures' left-out maps (pictures, grid, grid) float32."""
    sums, number = PictureSums.of(features, masks), len(features)
    firsts = [sums.without(*out).solution(penalty) for out in (*((i,) for i in range(number)), ())]
    slopes = np.stack([slope for slope, _ in firsts], axis=1)
    offsets = np.array([offset - threshold for _, offset in firsts], dtype=np.float32)

    def guess(cells: Float32) -> Float32:
        return np.asarray(np.clip((cells @ slopes + offsets) / _WIDTH + np.float32(0.5), 0, 1))

    others = _guessed_sums(pool, guess)
    weight = number * sums.cells / others[-1].cells
    maps = np.zeros(features.shape[:3], dtype=np.float32)
    for i, picture in enumerate(features):
        unknown = others[i].plus(_guessed_sums([picture[None]], guess)[i])
        slope, offset = sums.without(i).plus(unknown, weight).solution(2 * penalty)
        maps[i] = picture @ slope + offset
    probe = RidgeProbe(2 * penalty)
    probe.slope, probe.offset = sums.without().plus(others[-1], weight).solution(probe.penalty)
    return probe, maps


def _guessed_sums(batches: Iterable[Float32], guess: Callable[[Float32], Float32]) -> list[CellSums]:
    """Return the sums over all cells for each column of guessed labels (cells, columns)."""
    totals: list[Float32] = []
    number = 0
    for batch in batches:
        cells = batch.reshape(-1, batch.shape[-1])
        labels = guess(cells)
        sums = [cells.T @ cells, cells.T @ labels, cells.sum(axis=0), labels.sum(axis=0)]
        totals = [total + part for total, part in zip(totals, sums, strict=True)] if totals else sums
        number += len(cells)
    if not totals:
        raise ParameterError("there is no picture without a mask; self-training needs one at least.")
    products, targets, features, labels = totals
    return [CellSums(products, targets[:, i], features, float(labels[i]), number) for i in range(len(labels))]
