"""Plans with impossible values are refused."""

from __future__ import annotations

import pytest

from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.errors import ParameterError


@pytest.mark.parametrize(
    "wrong",
    [
        {"alpha": 1.2},
        {"learning_rate": 0.0},
        {"max_norm": -1.0},
        {"temperature": 0.0},
        {"epochs": -1},
        {"batch_size": 0},
    ],
)
def test_impossible_plans_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError):
        TrainingPlan(**wrong)
