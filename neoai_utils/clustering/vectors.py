"""Vectors made comparable: unit length, and whitened principal components."""

from __future__ import annotations

import numpy as np

from neoai_utils.arrays import Float32

__all__ = ["unit", "whitened"]


def unit(vectors: Float32) -> Float32:
    """Return the rows of (n, width) at length 1, so that only their direction counts (a row of zeros stays)."""
    scaled: Float32 = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return scaled


def whitened(vectors: Float32, components: int) -> Float32:
    """Return the leading principal components of unit rows, each scaled to variance 1, the rows brought to length 1.

    Without the scaling, the few directions of largest variance (such as light and texture) dominate every distance;
    with it, each direction has the same weight (Jégou & Chum 2012, ECCV, on whitening for image search).

    Args:
        vectors: (n, width).
        components: how many to keep, at most min(n, width).

    Returns:
        (n, components) float32.
    """
    from sklearn.decomposition import PCA

    scores = PCA(components, whiten=True, svd_solver="covariance_eigh").fit_transform(unit(vectors))
    return unit(scores.astype(np.float32))
