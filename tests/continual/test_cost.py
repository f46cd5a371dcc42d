"""The memory of a backward pass is counted, and the competition's network fits."""

from __future__ import annotations

import pytest
import timm
import torch
from timm.models.tiny_vit import TinyVit
from torch import nn

from neoai_utils.continual import cost, finetune


def test_bytes_of_two_layers_are_counted_by_hand() -> None:
    """A linear layer keeps its input; a ReLU its output, which the next layer keeps as well; weights do not count."""
    model = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))
    images = torch.ones(5, 10)
    assert cost.graph_bytes(lambda: model(images), model) == 4 * 5 * (10 + 20)
    with torch.no_grad():
        assert cost.graph_bytes(lambda: model(images), model) == 4 * 5 * (10 + 20)
    model.requires_grad_(False)
    assert cost.graph_bytes(lambda: model(images), model) == 0


def test_as_many_pictures_as_the_budget_holds(tiny: TinyVit) -> None:
    one = torch.zeros(1, 3, 32, 32)
    finetune.freeze_norm(tiny.train())
    count = cost.pictures_at_once(lambda: tiny(one), tiny)
    assert count * cost.graph_bytes(lambda: tiny(one), tiny) <= cost._BUDGET
    assert count > 158, "the miniature's batches are never split"


def test_the_competitions_network_fits_into_a_card_of_fifteen_gigabytes() -> None:
    """A batch of 64 is learnt whole, and its graph takes less than half of the card; one of 128 is split."""
    model = timm.create_model("tiny_vit_5m_224", num_classes=102)
    finetune.freeze_norm(model.train())
    one, two = (torch.zeros(count, 3, 224, 224) for count in (1, 2))
    held = cost.graph_bytes(lambda: model(one), model)
    assert 90e6 < held < 100e6
    assert 1.9 * held < cost.graph_bytes(lambda: model(two), model) < 2 * held
    assert 64 <= cost.pictures_at_once(lambda: model(one), model) < 128


def test_a_small_card_gets_smaller_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that torch holds without using it is free too; a card of 15 GB gets the whole budget."""
    for name, value in (("memory_reserved", 2 * 10**9), ("memory_allocated", 10**9)):
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    for free, expected in ((3 * 10**9, 2.4e9), (14 * 10**9, cost._BUDGET)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _, free=free: (free, 0))
        assert cost._budget(torch.device("cuda")) == expected
    assert cost._budget(torch.device("cpu")) == cost._BUDGET


def test_hours_grow_with_the_pictures_and_leave_the_network_alone(tiny: TinyVit) -> None:
    before = {name: values.clone() for name, values in tiny.state_dict().items()}
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    few, many = (cost.training_hours(tiny, 32, pictures) for pictures in (10**3, 10**6))
    assert 0 < few < many < 100
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(before[name], values) for name, values in tiny.state_dict().items())
    assert not tiny.training
