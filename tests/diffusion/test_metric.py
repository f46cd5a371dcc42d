"""The judge's texts, and the metric with its two readings."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.diffusion import metric
from neoai_utils.errors import DataError


def test_the_judges_texts():
    assert metric.texts_for("a wild boar", "neutral") == ("a wild boar", "pig", "horse", "")
    assert metric.texts_for("a mare", "horse") == metric.texts_for("a sow", "pig") == ("pig", "horse", "noise", "")


def test_the_strict_and_the_official_mean():
    kinds = ["horse", "horse", "pig", "neutral", "neutral"]
    grades = metric.grade(kinds, np.array([True, False, True, True, False]))
    assert grades.score == pytest.approx(0.6)
    assert grades.parts == {"official": grades.score, "horse": 0.5, "pig": 1.0, "neutral": 0.5}


def test_only_the_official_mean_is_high_for_an_unedited_model():
    unedited = metric.grade(["horse", "pig", "neutral"], np.array([False, True, True]))
    assert (unedited.score, unedited.parts["official"]) == (0.0, 1.0)
    nothing = metric.grade(["horse", "pig", "neutral"], np.zeros(3, bool))
    assert (nothing.score, nothing.parts["official"]) == (0.0, 0.0)


def test_every_kind_must_occur():
    with pytest.raises(DataError, match="no neutral prompt"):
        metric.grade(["horse", "pig"], np.array([True, True]))
