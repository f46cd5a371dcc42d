"""Transforms of the target with their inverses, which the rules leave free.

A median is not changed by a monotone transform, so it does not matter to the absolute error. It matters to boosting:
each round takes a tenth of the remaining step, and on the logarithm that is a tenth of a ratio, so rows with a low
target are reached in fewer rounds. (Box and Cox 1964 is the family: power 0 is the logarithm.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neoai_utils import errors
from neoai_utils.arrays import Float64
from neoai_utils.errors import ParameterError

__all__ = ["IDENTITY", "Transform", "box_cox", "log_of", "offset_to_positive"]


@dataclass(frozen=True)
class Transform:
    """A transform of a target.

    Attributes:
        forward: target -> what the model is trained on.
        inverse: predictions of the model -> target, elementwise and increasing.
    """

    forward: Callable[[Float64], Float64]
    inverse: Callable[[Float64], Float64]


IDENTITY = Transform(lambda y: y, lambda z: z)
"""No transform."""


def log_of(target: Float64) -> Transform:
    """Return the logarithm for targets like `target`, (rows,); log(y + c), with a warning, where some are 0 or less."""
    offset = offset_to_positive(target)
    log = box_cox(0, scale=float(np.median(target + offset)))
    if offset == 0:
        return log
    errors.warn(f"the target goes down to {target.min():g}, where there is no logarithm; log(y + {offset:g}) is used.")
    return Transform(lambda y: log.forward(y + offset), lambda z: log.inverse(z) - offset)


def offset_to_positive(target: Float64) -> float:
    """Return 0 for a positive target, (rows,), else what raises its minimum to one standard deviation above 0."""
    least = float(target.min())
    return 0.0 if least > 0 else (float(target.std()) or 1.0) - least


def box_cox(power: float, scale: float = 1.0) -> Transform:
    """Return the Box-Cox transform ((y / scale)^power - 1) / power, the logarithm for power 0; it increases with y.

    Args:
        power: 1 changes only the scale, 0 is the logarithm, -1 the reciprocal (with its sign changed).
        scale: a typical target; keeps the numbers near 1.

    Raises:
        ParameterError: `scale` is not positive.
    """
    if scale <= 0:
        raise ParameterError(f"the scale of a Box-Cox transform must be positive, got {scale}.")
    if power == 0:
        return Transform(lambda y: np.log(y / scale), lambda z: scale * np.exp(z))
    # a prediction outside the transform's range has no inverse, so the base is kept positive
    return Transform(
        lambda y: ((y / scale) ** power - 1) / power,
        lambda z: scale * np.maximum(1 + power * z, 1e-6) ** (1 / power),
    )
