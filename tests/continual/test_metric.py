"""Accuracy over all pictures, and over those of old and of weak classes."""

from __future__ import annotations

import numpy as np

from neoai_utils.continual import metric
from neoai_utils.scores import Grades


def test_the_metric_on_numbers_done_by_hand() -> None:
    weak = np.array([False, False, False, True])
    grades = metric.grade(np.array([0, 9, 2, 9]), np.array([0, 1, 2, 4]), weak)
    assert grades == Grades(0.5, {"old": 2 / 3, "weak": 0.0, "mean": 1 / 3})
