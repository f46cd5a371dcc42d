"""Features of one picture at several sizes, joined on the finest grid.

A picture that is enlarged before the forward pass has more cells, each of a smaller part of the scene; at the trained
size a cell knows more of its surroundings. A linear probe on the joined features weighs both. Principal components keep
the joined features short, so that the ridge probe's sums stay small.

Source: Farabet et al. 2013 ("Learning Hierarchical Features for Scene Labeling") joins the features of a picture at
three sizes; there the network is trained, here it is frozen and only a linear probe learns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch.nn import functional

from neoai_utils.arrays import Float32, Picture
from neoai_utils.runtime import progress
from neoai_utils.segmentation.features import BATCH, concatenated

__all__ = ["ShortFeatures", "joined", "joined_batches", "stretched"]

Float16 = NDArray[np.float16]


class ShortFeatures:
    """The features of pictures at one size, shortened to their principal components.

    The components are not whitened: a direction in which cells differ little stays short, and a penalty suppresses it.

    Attributes:
        pca: the components, after `fit_transform`.
    """

    def __init__(self, grid: Callable[[Sequence[Picture]], Iterator[Float32]], components: int = 256) -> None:
        """Make an unfitted transformer.

        Args:
            grid: function from pictures to batches of features (pictures, rows, columns, width) float32, as
                `functools.partial` makes of `features.dense_features`.
            components: numbers that are kept for each cell, fewer if the features have fewer.
        """
        self.grid = grid
        self.components = components

    def fit_transform(self, images: Sequence[Picture]) -> Float32:
        """Find the components of the pictures' cells, without any mask; return the short features of `batches`."""
        cells = concatenated(self.grid(images))
        flat = cells.reshape(-1, cells.shape[-1])
        self.pca = PCA(min(self.components, *flat.shape), svd_solver="covariance_eigh").fit(flat)
        return self._short(cells)

    def transform(self, images: Sequence[Picture]) -> Float16:
        """Return the short features of other pictures, (pictures, rows, columns, components) float16.

        In half precision, three sizes of a thousand pictures take 0.7 GB, where CLIP's features would take 17 GB.
        """
        total = math.ceil(len(images) / BATCH)
        batches = progress(self.grid(images), "features of a size", total=total)
        return np.concatenate([self._short(cells).astype(np.float16) for cells in batches])

    def _short(self, cells: Float32) -> Float32:
        short = self.pca.transform(cells.reshape(-1, cells.shape[-1]))
        return np.asarray(short.reshape(*cells.shape[:-1], -1), dtype=np.float32)


def stretched(cells: Float32, grid: int) -> Float32:
    """Resize features (pictures, rows, columns, width) to (pictures, grid, grid, width) float32, bilinearly."""
    planes = torch.from_numpy(cells).permute(0, 3, 1, 2)
    fine = functional.interpolate(planes, size=(grid, grid), mode="bilinear", align_corners=False)
    return fine.permute(0, 2, 3, 1).contiguous().numpy()


def joined(sizes: Sequence[Float32]) -> Float32:
    """Stretch features of the same pictures at several sizes to the finest grid and concatenate each cell's numbers.

    Args:
        sizes: (pictures, grid, grid, width) float32 each; grid and width may differ.

    Returns:
        (pictures, finest grid, finest grid, sum of the widths) float32.
    """
    grid = max(cells.shape[1] for cells in sizes)
    return np.concatenate([stretched(cells, grid) for cells in sizes], axis=-1)


def joined_batches(
    sizes: Sequence[Float16], prepare: Callable[[Float32], Float32] = np.asarray, batch: int = BATCH
) -> Iterator[Float32]:
    """Yield the `joined` features of many pictures batch by batch.

    Args:
        sizes: what `ShortFeatures.transform` returned for each size.
        prepare: applied to each batch, for example `ridge_probe.centred`.
        batch: pictures at a time.

    Yields:
        (pictures, finest grid, finest grid, sum of the widths) float32.
    """
    for start in range(0, len(sizes[0]), batch):
        yield prepare(joined([cells[start : start + batch].astype(np.float32) for cells in sizes]))
