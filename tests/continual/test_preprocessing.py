"""Pictures are scaled and padded to squares."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.continual import preprocessing


@settings(max_examples=40)
@given(st.integers(1, 90), st.integers(1, 90))
def test_squares_are_square_and_keep_the_picture_whole(height: int, width: int) -> None:
    """Of a picture of one colour, the black border takes just the share that the shape leaves."""
    square = preprocessing.to_square(np.full((height, width, 3), 77, dtype=np.uint8), 32)
    assert square.shape == (32, 32, 3)
    share = max(1, round(32 * min(height, width) / max(height, width))) / 32
    assert (square == 77).mean() == pytest.approx(share)
    assert np.isin(square, (0, 77)).all()


def test_padding_is_centred() -> None:
    square = preprocessing.to_square(np.full((16, 32, 3), 255, dtype=np.uint8), 32)
    assert square[:8].max() == 0
    assert square[8:24].min() == 255
    assert square[24:].max() == 0
