"""Interpolated weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import averaging, finetune
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.errors import ParameterError
from tests.continual.conftest import LABELS, same


def test_interpolation_has_its_ends_and_its_middle(tiny: TinyVit, pixels: np.ndarray) -> None:
    other = finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=1, learning_rate=1e-3))
    assert same(averaging.interpolate(tiny, other, 0.0), tiny)
    assert torch.equal(averaging.interpolate(tiny, other, 1.0).head.fc.weight, other.head.fc.weight)
    middle = averaging.interpolate(tiny, other, 0.5).requires_grad_(False)
    tiny, other = tiny.requires_grad_(False), other.requires_grad_(False)
    assert torch.allclose(middle.head.fc.weight, (tiny.head.fc.weight + other.head.fc.weight) / 2)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        averaging.interpolate(tiny, other, 1.5)
