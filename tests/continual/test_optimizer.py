"""Which parameters learn, and at which rate."""

from __future__ import annotations

import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual.optimizer import adamw, cosine
from neoai_utils.continual.plan import TrainingPlan


def test_the_head_has_a_rate_of_its_own(tiny: TinyVit) -> None:
    head, body = adamw(tiny, TrainingPlan(learning_rate=1e-4, head_learning_rate=1e-2)).param_groups
    assert (head["lr"], body["lr"]) == (1e-2, 1e-4)
    assert {id(values) for values in head["params"]} == {id(values) for values in tiny.head.fc.parameters()}
    assert len(head["params"]) + len(body["params"]) == len(list(tiny.parameters()))


def test_only_the_head_requires_gradients(tiny: TinyVit) -> None:
    groups = adamw(tiny, TrainingPlan(trained="head")).param_groups
    assert len(groups) == 1
    learning = {name for name, values in tiny.named_parameters() if values.requires_grad}
    assert learning == {"head.fc.weight", "head.fc.bias"}


def test_rates_fall_from_the_given_one_to_a_fiftieth() -> None:
    values = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([values], lr=2.0)
    schedule = cosine(optimizer, steps=10)
    rates = []
    for _ in range(11):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == sorted(rates, reverse=True)
    assert (rates[0], rates[5], rates[10]) == (2.0, pytest.approx(1.02), pytest.approx(0.04))
