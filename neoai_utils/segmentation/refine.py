"""From a coarse map of probabilities to a mask that follows the picture's edges.

GrabCut: Rother, Kolmogorov and Blake 2004 ("GrabCut: interactive foreground extraction using iterated graph cuts"), in
OpenCV's implementation: a colour model of the animal, one of the background, and the cut between them that runs along
edges. Where the original asks a person for a rectangle, the probe's map gives certain animal and certain background.

Guided filter: He, Sun and Tang 2010 ("Guided Image Filtering"), in its fast form on a downscaled guide (He and Sun
2015, 1505.00996): the filter's output is, in each window, a linear function of the guide's colours, so it is smooth
where the picture is smooth and has edges where the picture has them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional

from neoai_utils.arrays import Float32, Mask, Picture
from neoai_utils.runtime import progress
from neoai_utils.segmentation.metric import iou

__all__ = [
    "blend", "cut_blended", "grab_cut", "guided_filter", "in_parallel", "largest_part", "refined_mask", "upsample",
    "upsampled",
]  # fmt: skip

T = TypeVar("T")
_COLOUR_CLUSTERS = 5  # OpenCV fits five to each side and refuses fewer pixels
_CERTAIN = 0.95  # from this estimate on a pixel stays animal, whatever its colour
_ROUNDS = 2  # how often the colour models and the cut are computed


def upsample(heat: Float32, size: tuple[int, int]) -> Float32:
    """Resize a (rows, columns) float32 map to `size` (height, width), bilinearly."""
    stretched = functional.interpolate(
        torch.from_numpy(heat)[None, None].float(), size=size, mode="bilinear", align_corners=False
    )
    return stretched[0, 0].numpy()


def upsampled(picture: Picture, heat: Float32) -> Float32:
    """Resize a map to the size of its picture, (height, width) float32: the refiner that does nothing else."""
    return upsample(heat, (picture.shape[0], picture.shape[1]))


def guided_filter(picture: Picture, heat: Float32, radius: int = 4, epsilon: float = 1e-3, side: int = 112) -> Float32:
    """Filter a probability map along the edges of a colour picture.

    Args:
        picture: (height, width, 3) uint8.
        heat: (rows, columns) float32 map of any size.
        radius: half width of the window in pixels of the downscaled picture.
        epsilon: colour variance that counts as an edge, for colours in 0..1.
        side: the shorter side of the downscaled picture in pixels.

    Returns:
        (height, width) float32.
    """
    size = (picture.shape[0], picture.shape[1])
    small = _downscaled(picture, side)
    guide = small.astype(np.float32) / np.float32(255)
    slope, offset = _local_lines(guide, upsample(heat, (small.shape[0], small.shape[1])), radius, epsilon)
    full = picture.astype(np.float32) / 255
    result = upsample(offset, size)
    for channel in range(3):
        result += upsample(slope[..., channel], size) * full[..., channel]
    return result


def _downscaled(picture: Picture, side: int) -> Picture:
    """Shrink a picture so that its shorter side has at most `side` pixels."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / min(height, width))
    size = (max(2, round(width * scale)), max(2, round(height * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def _local_lines(guide: Float32, target: Float32, radius: int, epsilon: float) -> tuple[Float32, Float32]:
    """Fit target = slope . guide + offset in each window; return the windows' means, (h, w, 3) and (h, w)."""

    def box(values: Float32) -> Float32:
        size = (2 * radius + 1, 2 * radius + 1) + (1,) * (values.ndim - 2)
        return np.asarray(ndimage.uniform_filter(values, size=size, mode="reflect"))

    mean_guide, mean_target = box(guide), box(target)
    products = box((guide[..., :, None] * guide[..., None, :]).reshape(*guide.shape[:2], 9))
    spread = products.reshape(*guide.shape[:2], 3, 3) - mean_guide[..., :, None] * mean_guide[..., None, :]
    shared = box(guide * target[..., None]) - mean_guide * mean_target[..., None]
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), shared[..., None])[..., 0]
    offset = mean_target - np.sum(slope * mean_guide, axis=-1)
    return box(slope), box(offset)


def grab_cut(picture: Picture, heat: Float32, *, start: float = 0.4, side: int = 240) -> Float32:
    """Return the graph cut of a picture that a map of estimates initialises.

    Args:
        picture: (height, width, 3) uint8.
        heat: (rows, columns) float32 map of any size.
        start: pixels at or above start as "probably animal", the others as "probably background"; the cut may change
            both, but not pixels at or above .95 or at or below .05.
        side: the shorter side in pixels of the downscaled picture that is cut.

    Returns:
        (height, width) float32, 1 for animal and 0 for background, in between along the resized edge. If there is
        no animal or no background to start from: 1 where the map is at or above `start`.
    """
    import cv2

    small = _downscaled(picture, side)
    estimate = upsample(heat, (small.shape[0], small.shape[1]))
    labels = np.where(estimate >= start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[estimate >= _CERTAIN], labels[estimate <= 1.0 - _CERTAIN] = cv2.GC_FGD, cv2.GC_BGD
    animal = labels % 2 == 1  # OpenCV's numbers of both kinds of foreground are odd
    if min(np.count_nonzero(animal), np.count_nonzero(~animal)) >= _COLOUR_CLUSTERS:
        cv2.setRNGSeed(0)  # k-means initialises the colour models
        models = np.zeros((2, 1, 65))
        cv2.grabCut(np.ascontiguousarray(small), labels, None, models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    return upsample((labels % 2).astype(np.float32), (picture.shape[0], picture.shape[1]))


def blend(heat: Float32, cut: Float32, *, weight: float = 0.7, min_iou: float = 0.0, start: float = 0.4) -> Float32:
    """Average a map and the cut that it initialised, unless the two disagree.

    Args:
        heat: (rows, columns) float32 map of any size.
        cut: the result of `grab_cut`, (height, width) float32.
        weight: of the cut, 0 to 1; 0 returns the map alone.
        min_iou: smallest IoU of the cut with the pixels whose map is at or above `start`. Below it the cut has grown
            into the background or lost the animal, and the map alone is returned.
        start: the value that `grab_cut` was given.

    Returns:
        (height, width) float32.
    """
    full = upsample(heat, (cut.shape[0], cut.shape[1]))
    if iou(cut >= 0.5, full >= start) < min_iou:
        return full
    return np.asarray((1.0 - weight) * full + weight * cut, dtype=np.float32)


def cut_blended(
    picture: Picture, heat: Float32, *, start: float = 0.4, weight: float = 0.7, min_iou: float = 0.0
) -> Float32:
    """Return the `blend` of a map with its `grab_cut`, (height, width) float32."""
    return blend(heat, grab_cut(picture, heat, start=start), weight=weight, min_iou=min_iou, start=start)


def in_parallel(refiner: Callable[..., T], *columns: Collection[Any]) -> list[T]:
    """Apply a refiner to many pictures and their maps, on all cores, in threads: OpenCV releases Python's lock."""
    from joblib import Parallel, delayed

    rows = progress(zip(*columns, strict=True), "refining", total=len(columns[0]))
    return list(Parallel(n_jobs=-1, prefer="threads")(delayed(refiner)(*row) for row in rows))


def refined_mask(
    picture: Picture,
    heat: Float32,
    refiner: Callable[[Picture, Float32], Float32],
    threshold: float,
    clean: Callable[[Mask], Mask] | None = None,
) -> Mask:
    """Return the (height, width) bool mask of one picture; the refined map is dropped at once.

    Args:
        picture: (height, width, 3) uint8.
        heat: (rows, columns) float32 map of any size.
        refiner: for example `upsampled` or `cut_blended`.
        threshold: pixels at or above are animal.
        clean: applied to the mask, for example `largest_part`; None: nothing.
    """
    mask = np.asarray(refiner(picture, heat) >= threshold)
    return mask if clean is None else clean(mask)


def largest_part(mask: Mask) -> Mask:
    """Return the largest connected part of a (height, width) bool mask, holes filled; an empty mask stays empty."""
    labels, number = ndimage.label(mask)
    if number == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))
