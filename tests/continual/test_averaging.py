"""Interpolated weights and soups."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import averaging, checkpoint, finetune
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
    torch.testing.assert_close(averaging.soup([tiny, other]).head.fc.weight, middle.head.fc.weight)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        averaging.interpolate(tiny, other, 1.5)


def test_the_greedy_soup_never_gets_worse(tiny: TinyVit) -> None:
    models = []
    for value in (1.0, 5.0, 3.2):
        state = {name: values.clone() for name, values in tiny.state_dict().items()}
        state["head.fc.bias"] = torch.full_like(state["head.fc.bias"], value)
        models.append(checkpoint.clone(tiny, state))

    def quality(model: TinyVit) -> float:
        return -abs(float(model.head.fc.bias[0].detach()) - 3.0)

    soup, kept = averaging.greedy_soup(models, quality)
    assert quality(soup) >= max(map(quality, models))
    assert kept[0] == 2
    with pytest.raises(ParameterError, match="at least one"):
        averaging.soup([])
