"""The fourth root of the mean squared error."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neoai_utils.scores import Grades
from neoai_utils.tabular import metric
from neoai_utils.tabular.metric import fourth_root_mse


def test_the_metric_on_numbers_done_by_hand() -> None:
    assert fourth_root_mse([1, 2, 3, 4], [1, 2, 3, 12]) == pytest.approx(2.0)  # MSE 16
    assert fourth_root_mse([0, 0], [1, 100], weight=[1, 0]) == pytest.approx(1.0)
    assert metric.grade([1, 2, 3, 12], [1, 2, 3, 4]) == Grades(2.0, {"rmse": 4.0, "mae": 2.0})
    weighted = metric.grade([1, 2, 3, 12], [1, 2, 3, 4], weight=[1, 1, 1, 61])
    assert weighted.error is not None
    only_hits = metric.grade([1, 2, 3, 12], [1, 2, 3, 4], weight=[1, 1, 1, 1e-12])
    assert only_hits.error == pytest.approx(0, abs=1e-2), "a row without weight has no part in the error either"
    assert weighted.parts == pytest.approx({"rmse": 61**0.5, "mae": 7.625})


@given(arrays(float, 20, elements=st.floats(-1e3, 1e3)), st.floats(0.1, 10))
def test_the_metric_grows_with_the_root_of_the_error(error: np.ndarray, factor: float) -> None:
    one, more = (fourth_root_mse(np.zeros(20), e) for e in (error, factor * error))
    assert more == pytest.approx(np.sqrt(factor) * one, abs=1e-9)
