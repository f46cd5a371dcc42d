"""Shared figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neoai_utils import plotting
from neoai_utils.scores import Ladder


def test_a_table_of_images_names_its_rows_and_columns():
    image, grey = np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4))
    figure = plotting.image_table({"before": [image, grey], "after": [image, image]}, ["a horse", "a pig"])
    assert len(figure.axes) == 4
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a horse", "a pig"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["before", "after"]
    with pytest.raises(ValueError, match="zip"):
        plotting.image_table({"before": [image]}, ["a horse", "a pig"])


def sweep_table(**columns: list) -> pd.DataFrame:
    known = {"baseline": 0.1, "published": None, "ceiling": 0.9}
    return pd.DataFrame({**columns, **{k: [v] * len(columns["ours"]) for k, v in known.items()}}, dtype=object)


def test_a_sweep_over_one_parameter_is_a_line_beside_what_is_known():
    table = sweep_table(a=[3, 1, 2], b=["x"] * 3, ours=[0.3, 0.1, None])
    (axes,) = plotting.sweep_chart(table, ["b", "a"], "ours", "accuracy", True).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert set(lines) == {"ours", "baseline", "ceiling"}
    np.testing.assert_equal(lines["ours"].get_xydata(), [[1, 0.1], [2, np.nan], [3, 0.3]])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("a", "accuracy (higher is better)")


def test_a_sweep_over_words_keeps_their_order():
    table = sweep_table(a=[0.5, "None", True], ours=[0.3, 0.1, 0.2])
    (axes,) = plotting.sweep_chart(table, ["a"], "ours", "accuracy", True).axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.5", "None", "True"]


def test_a_sweep_over_two_parameters_is_a_heat_map_with_gaps():
    table = sweep_table(a=[1, 1, 2], b=["x", "y", "x"], ours=[0.25, None, 0.75])
    axes = plotting.sweep_chart(table, ["a", "b"], "ours", "error", False).axes[0]
    heat = axes.images[0].get_array()
    assert heat.mask.tolist() == [[False, False], [True, True]]
    assert heat.data[0].tolist() == [0.25, 0.75]
    assert axes.images[0].get_cmap().name == "cividis_r"
    assert [text.get_text() for text in axes.texts] == ["0.250", "–", "0.750"]


@pytest.mark.parametrize(("higher", "best"), [(True, "a 2, b 2, c 2"), (False, "a 1, b 1, c 1")])
def test_a_sweep_over_three_parameters_shows_the_best_points(higher, best):
    table = sweep_table(a=[1, 2, 1], b=[1, 2, 2], c=[1, 2, 1], ours=[0.1, 0.9, None])
    (axes,) = plotting.sweep_chart(table, ["a", "b", "c"], "ours", "error", higher).axes
    assert len(axes.patches) == 2
    assert axes.get_yticklabels()[0].get_text() == best


def test_the_ladder_s_whiskers_are_one_standard_error():
    ladder = Ladder("accuracy", higher_is_better=True)
    ladder.add("kNN", score=0.5, error=0.1)
    ladder.add("ours", score=0.7, error=0.05, role="ours")
    (axes,) = plotting.ladder_chart(ladder, 0.9).axes
    segments = axes.collections[0].get_segments()
    np.testing.assert_allclose([line[:, 0] for line in segments], [[0.4, 0.6], [0.65, 0.75]])
    assert not plotting.ladder_chart(Ladder("accuracy", higher_is_better=True)).axes[0].collections
