"""Array types of the library; the shapes are stated in the docstrings of the functions that take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Float32", "Float64", "Integers", "Mask", "Picture"]

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]
"""True for what is selected; a mask of a picture is (height, width)."""

Picture = NDArray[np.uint8]
"""A picture, (height, width, 3), RGB from 0 to 255; several of one size: (pictures, height, width, 3)."""
