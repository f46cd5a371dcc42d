"""Non-negative factorisation of many pictures at once, by multiplicative updates.

Lee & Seung 2001, "Algorithms for Non-negative Matrix Factorization": for V ~ W H, the updates
H <- H * (W'V) / (W'WH) and W <- W * (VH') / (WHH') never raise the squared error and keep both sides non-negative.
Every picture is a small problem (128 x 128, rank 4), so thousands of calls of scikit-learn's solver would spend their
time on overhead; here a batch of pictures takes each step together.
"""

from __future__ import annotations

import numpy as np

from neoai_utils.arrays import Float32

__all__ = ["factorise"]

_FLOOR = 1e-9  # keeps the divisions defined
_BATCH = 60  # pictures that share a step: 4 MB of pixels, which stay in the processor's cache


def factorise(pictures: Float32, rank: int, iterations: int, seed: int) -> tuple[Float32, Float32]:
    """Factorise pictures (n, height, width) float32, nowhere negative.

    The start is random, so the order of the components is random too, and another one for every picture.

    Returns:
        (n, height, rank) and (n, rank, width), float32, nowhere negative.
    """
    parts = [
        _factorise(pictures[start : start + _BATCH], rank, iterations, np.random.default_rng((seed, start)))
        for start in range(0, len(pictures), _BATCH)
    ]
    left, right = zip(*parts, strict=True)
    return np.concatenate(left), np.concatenate(right)


def _factorise(pictures: Float32, rank: int, iterations: int, rng: np.random.Generator) -> tuple[Float32, Float32]:
    count, height, width = pictures.shape
    # entries of mean m make a product of mean rank * m^2: start at the picture's brightness
    start = 2 * np.sqrt(pictures.mean(axis=(1, 2), keepdims=True) / rank)
    left = start * rng.random((count, height, rank), dtype=np.float32)
    right = start * rng.random((count, rank, width), dtype=np.float32)
    for _ in range(iterations):
        transposed = left.swapaxes(1, 2)
        right *= (transposed @ pictures) / (transposed @ left @ right + _FLOOR)
        transposed = right.swapaxes(1, 2)
        left *= (pictures @ transposed) / (left @ (right @ transposed) + _FLOOR)
    return left, right
