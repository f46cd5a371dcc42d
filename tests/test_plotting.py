"""Shared figures."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils import plotting


def test_a_table_of_images_names_its_rows_and_columns():
    image, grey = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4))
    figure = plotting.image_table({"before": [image, grey], "after": [image, image]}, ["a horse", "a pig"])
    assert len(figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a horse", "a pig"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["before", "after"]
    with pytest.raises(ValueError, match="zip"):
        plotting.image_table({"before": [image]}, ["a horse", "a pig"])
