"""The metric against a plain count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.scores import Grades
from neoai_utils.steering import metric


def test_conditions_and_their_bounds():
    window = metric.Window(-2, 2)
    scores = np.array([-2.0, -1.99, 0.0, 1.99, 2.0, 0.0])
    cosines = np.array([0.9, 0.9, 0.65, 0.66, 0.9, 0.9])
    assert metric.grade(scores, cosines, window) == Grades(3 / 6, {"window": 4 / 6, "content": 5 / 6})


@given(st.lists(st.tuples(st.floats(-9, 9), st.floats(-1, 1)), min_size=1), st.floats(-5, 0), st.floats(0.01, 5))
def test_the_score_is_the_plain_count(rows, low, high):
    grades = metric.grade(np.array([s for s, _ in rows]), np.array([c for _, c in rows]), metric.Window(low, high))
    plain = sum(low < s < high and c > 0.65 for s, c in rows) / len(rows)
    assert grades.score == pytest.approx(plain)
    assert grades.score <= min(grades.parts["window"], grades.parts["content"])
    assert grades.score >= grades.parts["window"] + grades.parts["content"] - 1 - 1e-9
