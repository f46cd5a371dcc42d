"""Vectors made comparable: unit length, and whitened principal components."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["unit", "whitened"]

Array = NDArray[np.float32]


def unit(vectors: Array) -> Array:
    """Return the rows of (n, width) at length 1, so that only their direction counts (a row of zeros stays)."""
    scaled: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def whitened(vectors: Array, components: int) -> Array:
    """Return the leading principal components of unit rows, each scaled to variance 1, the rows brought to length 1.

    Without the scaling, the few directions of largest variance (light, how busy a picture is) decide every distance;
    with it, each direction counts the same (Jégou & Chum 2012, ECCV, on whitening for image search).

    Args:
        vectors: (n, width).
        components: how many to keep, at most min(n, width).

    Returns:
        (n, components) float32.
    """
    from sklearn.decomposition import PCA

    found = PCA(components, whiten=True, svd_solver="covariance_eigh").fit_transform(unit(vectors))
    return unit(found.astype(np.float32))
