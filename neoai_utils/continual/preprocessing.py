"""Pictures of any size, scaled and padded to the network's input size."""

from __future__ import annotations

import numpy as np

from neoai_utils.arrays import Picture

__all__ = ["to_square"]


def to_square(picture: Picture, side: int) -> Picture:
    """Scale the longer side of a picture and pad the shorter one with black on both ends.

    (The published solution's library pads with black today; older versions of it mirrored the picture.)

    Args:
        picture: (height, width, 3) uint8 RGB.
        side: pixels along a side of the result.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    import cv2

    height, width = picture.shape[:2]
    longer = max(height, width)
    size = max(1, round(height * side / longer)), max(1, round(width * side / longer))
    interpolation = cv2.INTER_AREA if longer > side else cv2.INTER_LINEAR
    scaled = cv2.resize(picture, size[::-1], interpolation=interpolation)
    top, left = (side - size[0]) // 2, (side - size[1]) // 2
    padded = np.zeros((side, side, 3), np.uint8)
    padded[top : top + size[0], left : left + size[1]] = scaled
    return padded
