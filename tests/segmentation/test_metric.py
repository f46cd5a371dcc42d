"""Intersection over union: known answers and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neoai_utils.scores import Grades
from neoai_utils.segmentation import metric

MASKS = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(bool, shape))


@given(MASKS, st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_iou_properties(mask, seed):
    other = np.random.default_rng(seed).random(mask.shape) < 0.5
    assert metric.iou(mask, mask) == 1.0
    assert metric.iou(mask, other) == metric.iou(other, mask)
    assert 0.0 <= metric.iou(mask, other) <= 1.0


def test_iou_of_small_masks():
    left, right = np.array([[True, True, False, False]]), np.array([[False, True, True, False]])
    empty = np.zeros((1, 4), dtype=bool)
    assert metric.iou(left, right) == pytest.approx(1 / 3)
    assert metric.iou(left, empty) == 0.0
    assert metric.iou(empty, empty) == 1.0


def test_the_mean_is_over_pictures_not_over_pixels():
    left, empty = np.array([[True, True, False, False]]), np.zeros((1, 4), dtype=bool)
    assert metric.mean_iou([left, left], [left, empty]) == pytest.approx(0.5)
    assert metric.grade(iter([left, left]), iter([left, empty])) == Grades(0.5)
    with pytest.raises(ValueError, match="longer|shorter"):
        metric.mean_iou([left], [left, empty])


def test_grades_of_pictures_carry_their_draws():
    """The same pictures are drawn for every recipe, so a constant gain has no error."""
    old = np.array([0.1, 0.9, 0.4])
    before, after = metric.grade_ious(old), metric.grade_ious(old + 0.05)
    assert (before.score, after.score) == (pytest.approx(1.4 / 3), pytest.approx(1.4 / 3 + 0.05))
    np.testing.assert_allclose(after.draws - before.draws, 0.05)
    assert before.error > 0.1


def test_ious_are_in_the_order_of_the_pictures():
    left, empty = np.array([[True, False]]), np.zeros((1, 2), dtype=bool)
    np.testing.assert_array_equal(metric.ious(iter([left, left, empty]), [left, empty, empty]), [1.0, 0.0, 1.0])
