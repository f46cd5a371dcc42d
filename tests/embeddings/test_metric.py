"""Accuracy, and macro-F1 over the classes that occur."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.embeddings import metric


def test_grades_are_accuracy_and_macro_f1():
    grades = metric.grade(np.array([0, 1, 0]), np.array([0, 1, 1]))
    assert grades.score == pytest.approx(2 / 3)
    assert grades.parts == {"macro_f1": pytest.approx(2 / 3)}  # two classes, each with F1 of 2/3


def test_the_mean_of_draws_is_taken_part_by_part():
    draws = [metric.grade(np.array(predicted), np.array([0, 1, 2])) for predicted in ([0, 1, 2], [0, 1, 1])]
    mean = metric.mean_grades(draws)
    assert mean.score == pytest.approx(5 / 6)
    assert mean.parts["macro_f1"] == pytest.approx((1 + 5 / 9) / 2)
