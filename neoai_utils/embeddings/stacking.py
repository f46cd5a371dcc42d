"""Combine repairs linearly, and give rows the length that donors have.

`stack` is stacked regression (Wolpert, 1992; Breiman, 1996) learned on hidden donors; `match_norm` undoes the shrinkage
of every regression.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neoai_utils.arrays import Float32
from neoai_utils.embeddings.damage import Damage

__all__ = ["match_norm", "stack"]


def stack(
    hidden: Sequence[Float32], truth: Float32, lost: Sequence[Float32], mean: Float32, *, penalty: float = 10.0
) -> Float32:
    """Return the best linear combination of several repairs, (lost, size) float32.

    Args:
        hidden: each repair's rows for hidden donors, (rows, size) each.
        truth: (rows, size) the right rows of these donors.
        lost: each repair's rows for the lost tokens, (lost, size) each, in the same order.
        mean: (size,) the mean donor row.
        penalty: of the ridge regression.
    """
    from sklearn.linear_model import Ridge

    x = np.hstack([rows - mean for rows in hidden]).astype(np.float64)
    ridge = Ridge(penalty, fit_intercept=False, solver="cholesky").fit(x, truth - mean)
    return np.asarray(mean + ridge.predict(np.hstack([rows - mean for rows in lost])), dtype=np.float32)


def match_norm(damage: Damage, rows: Float32, power: float = 1.0) -> Float32:
    """Stretch rows, (lost, size), away from the mean until they are as long as donors are; return (lost, size) float32.

    Args:
        damage: gives the mean and the median centred norm of the donors.
        rows: repaired rows.
        power: 1 gives every row the median norm, 0 leaves the rows as they are.
    """
    centred = rows - damage.mean
    norm = np.linalg.norm(centred, axis=1, keepdims=True)
    typical = np.median(np.linalg.norm(damage.table[damage.donors] - damage.mean, axis=1))
    stretch = np.where(norm > 1e-9, typical / np.maximum(norm, 1e-9), 1.0) ** power
    return np.asarray(damage.mean + centred * stretch, dtype=np.float32)
