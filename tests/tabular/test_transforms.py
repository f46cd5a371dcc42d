"""Transforms of the target come back, and are accepted by the trainer's check of inverses."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.errors import DataWarning, ParameterError
from neoai_utils.tabular.fixed_lightgbm import check_inverse
from neoai_utils.tabular.transforms import box_cox, log_of


@pytest.mark.parametrize("power", [-1, -0.5, 0, 0.25, 0.5, 1, 2])
def test_transforms_are_accepted_and_come_back(power: float) -> None:
    transform = box_cox(power, 700)
    target = np.linspace(137, 865, 101)
    np.testing.assert_allclose(transform.inverse(transform.forward(target)), target)
    check_inverse(transform.inverse, np.linspace(-4, 4, 101))
    assert (np.diff(transform.forward(target)) > 0).all()


@pytest.mark.parametrize("target", [[5.0, 7.0, 11.0], [0.0, 3.0, 9.0], [-50.0, 0.0, 700.0], [0.0] * 3, [-2.0] * 3])
def test_any_target_has_a_logarithm(target: list[float]) -> None:
    values = np.array(target)
    if values.min() > 0:
        log = log_of(values)
        np.testing.assert_array_equal(log.forward(values), box_cox(0, 7.0).forward(values))
    else:
        with pytest.warns(DataWarning, match=f"goes down to {values.min():g}, where there is no logarithm"):
            log = log_of(values)
    assert np.isfinite(log.forward(values)).all()
    np.testing.assert_allclose(log.inverse(log.forward(values)), values, atol=1e-9)
    check_inverse(log.inverse, log.forward(np.linspace(values.min(), values.max() + 1, 50)))


def test_a_box_cox_scale_must_be_positive() -> None:
    with pytest.raises(ParameterError, match="positive"):
        box_cox(0, scale=0)
