"""From a coarse map of probabilities to a mask that follows the picture's edges.

GrabCut: Rother, Kolmogorov and Blake 2004 ("GrabCut: interactive foreground extraction using iterated graph cuts"), in
OpenCV's implementation: a colour model of the animal and one of the ground, and the cut between them that runs along
edges. Where the original asks a person for a rectangle, the probe's map says what is surely animal and surely ground.

Guided filter: He, Sun and Tang 2010 ("Guided Image Filtering"), in its fast form on a shrunken guide (He and Sun 2015,
1505.00996): the filter's output is, in each window, a linear function of the guide's colours, so it is smooth where the
picture is and breaks where the picture does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch.nn import functional

from neoai_utils.segmentation.files import iou

__all__ = ["blend", "cut_blended", "each", "grab_cut", "guided_filter", "largest_part", "upsample", "upsampled"]

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Map = NDArray[np.float32]
_COLOUR_CLUSTERS = 5  # OpenCV fits five to each side and refuses fewer pixels


def upsample(heat: Map, size: tuple[int, int]) -> Map:
    """Stretch a (rows, columns) map to `size` (height, width), bilinearly."""
    stretched = functional.interpolate(
        torch.from_numpy(heat)[None, None].float(), size=size, mode="bilinear", align_corners=False
    )
    return stretched[0, 0].numpy()


def upsampled(picture: Picture, heat: Map) -> Map:
    """Stretch a map to the size of its picture: the refiner that does nothing else."""
    return upsample(heat, (picture.shape[0], picture.shape[1]))


def guided_filter(picture: Picture, heat: Map, radius: int = 4, epsilon: float = 1e-3, side: int = 112) -> Map:
    """Filter a probability map along the edges of a colour picture.

    Args:
        picture: (height, width, 3) uint8.
        heat: (rows, columns) map of any size.
        radius: half width of the window in pixels of the shrunken picture.
        epsilon: how much colour variance counts as an edge, for colours in 0..1.
        side: the shorter side of the shrunken picture in pixels.

    Returns:
        (height, width) float32.
    """
    height, width = picture.shape[:2]
    shrink = min(1.0, side / min(height, width))
    small = (max(2, round(height * shrink)), max(2, round(width * shrink)))
    guide = np.asarray(Image.fromarray(picture).resize(small[::-1], Image.Resampling.BOX), dtype=np.float32)
    slope, offset = _local_lines(guide / np.float32(255), upsample(heat, small), radius, epsilon)
    full = picture.astype(np.float32) / 255
    result = upsample(offset, (height, width))
    for channel in range(3):
        result += upsample(slope[..., channel], (height, width)) * full[..., channel]
    return result


def _local_lines(guide: Map, target: Map, radius: int, epsilon: float) -> tuple[Map, Map]:
    """Return the windows' mean line target = slope . guide + offset: (h, w, 3) and (h, w)."""

    def box(values: Map) -> Map:
        size = (2 * radius + 1, 2 * radius + 1) + (1,) * (values.ndim - 2)
        return np.asarray(ndimage.uniform_filter(values, size=size, mode="reflect"))

    mean_guide, mean_target = box(guide), box(target)
    products = box((guide[..., :, None] * guide[..., None, :]).reshape(*guide.shape[:2], 9))
    spread = products.reshape(*guide.shape[:2], 3, 3) - mean_guide[..., :, None] * mean_guide[..., None, :]
    shared = box(guide * target[..., None]) - mean_guide * mean_target[..., None]
    slope = np.linalg.solve(spread + epsilon * np.eye(3, dtype=np.float32), shared[..., None])[..., 0]
    offset = mean_target - np.sum(slope * mean_guide, axis=-1)
    return box(slope), box(offset)


def grab_cut(
    picture: Picture, heat: Map, *, likely: float = 0.4, certain: float = 0.95, side: int = 240, rounds: int = 2
) -> Map:
    """Return the graph cut that a map of estimates starts.

    Args:
        picture: (height, width, 3) uint8.
        heat: (rows, columns) map of any size.
        likely: from here on a pixel starts as "probably animal", below as "probably ground"; the cut may change both.
        certain: pixels at or above are animal and those at or below 1 - certain are ground, whatever their colour.
        side: the shorter side in pixels at which the cut is made.
        rounds: how often colour models and cut are made anew.

    Returns:
        (height, width) float32, 1 for animal and 0 for ground, in between along the stretched edge. Where there is
        no animal or no ground to start from, what lies at or above `likely`.
    """
    import cv2

    height, width = picture.shape[:2]
    shrink = min(1.0, side / min(height, width))
    small = (max(2, round(height * shrink)), max(2, round(width * shrink)))
    seen = np.asarray(Image.fromarray(picture).resize(small[::-1], Image.Resampling.BOX))
    start = upsample(heat, small)
    marks = np.where(start >= likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[start >= certain], marks[start <= 1.0 - certain] = cv2.GC_FGD, cv2.GC_BGD
    animal = marks % 2 == 1  # OpenCV's numbers of both kinds of foreground are odd
    if min(np.count_nonzero(animal), np.count_nonzero(~animal)) >= _COLOUR_CLUSTERS:
        cv2.setRNGSeed(0)  # the colour models start from k-means
        models = np.zeros((2, 1, 65))
        cv2.grabCut(np.ascontiguousarray(seen), marks, None, models[0], models[1], rounds, cv2.GC_INIT_WITH_MASK)
    return upsample((marks % 2).astype(np.float32), (height, width))


def blend(heat: Map, cut: Map, *, share: float = 0.7, trust: float = 0.0, likely: float = 0.4) -> Map:
    """Blend a map with the cut that it started, unless the two disagree.

    Args:
        heat: (rows, columns) map of any size.
        cut: `grab_cut`'s, (height, width).
        share: weight of the cut; 0 leaves the map as it is.
        trust: where the IoU of the cut with what the map holds at or above `likely` is lower than this, the cut has
            swallowed ground or lost the animal, and the map stays alone.
        likely: what the cut was started with.

    Returns:
        (height, width) float32.
    """
    full = upsample(heat, (cut.shape[0], cut.shape[1]))
    if iou(cut >= 0.5, full >= likely) < trust:
        return full
    return np.asarray((1.0 - share) * full + share * cut, dtype=np.float32)


def cut_blended(picture: Picture, heat: Map, *, likely: float = 0.4, share: float = 0.7, trust: float = 0.0) -> Map:
    """Return the `blend` of a map with its own `grab_cut`, (height, width) float32."""
    return blend(heat, grab_cut(picture, heat, likely=likely), share=share, trust=trust, likely=likely)


def each(way: Callable[..., Map], *columns: Iterable[Any]) -> list[Map]:
    """Apply a refiner to many pictures and their maps, on all cores (OpenCV leaves the interpreter free)."""
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=-1, prefer="threads")(delayed(way)(*row) for row in zip(*columns, strict=True)))


def largest_part(mask: Mask) -> Mask:
    """Keep the largest connected part of a (height, width) mask and fill its holes; an empty mask stays empty."""
    labels, number = ndimage.label(mask)
    if number == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == sizes.argmax()))
