"""The metric: known answers and properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering import metric

TRUTH = np.repeat(np.arange(4), 10)


def test_known_scores():
    grades = metric.grade(TRUTH, 31 - TRUTH)  # the numbers of the clusters do not matter
    assert (grades.score, grades.parts) == (1.0, {"nmi": pytest.approx(1.0)})
    assert metric.grade(TRUTH, np.zeros(40, dtype=int)).score == 0.0
    pairs, agreed, expected = 780, 180, 180 * 380 / 780  # Hubert & Arabie 1985, worked out by hand
    assert pairs == 40 * 39 / 2
    assert metric.grade(TRUTH, TRUTH // 2).score == pytest.approx((agreed - expected) / ((180 + 380) / 2 - expected))


@given(st.lists(st.integers(0, 31), min_size=40, max_size=40), st.permutations(range(40)))
@settings(max_examples=30)
def test_neither_names_nor_order_matter(labels, order):
    plain, labels, order = metric.grade(TRUTH, labels).score, np.array(labels), list(order)
    assert metric.grade(TRUTH[order], labels[order]).score == pytest.approx(plain)
    assert metric.grade(TRUTH, 31 - labels).score == pytest.approx(plain)
