"""Balanced predictions sum to their shares."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.continual import head, self_labelling
from neoai_utils.errors import ParameterError


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.3, 2))
def test_balanced_predictions_sum_to_their_shares(seed: int, power: float) -> None:
    logits = 3 * torch.randn(60, 5, generator=torch.Generator().manual_seed(seed))
    with mock.patch.object(self_labelling, "_ROUNDS", 500):
        balanced = self_labelling.balance(logits, power)
    assert torch.allclose(balanced.sum(1), torch.ones(60), atol=1e-4)
    assert torch.allclose(balanced.sum(0), torch.full((5,), 12.0), atol=0.05)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_balance_ignores_a_shifted_class(seed: int) -> None:
    """A constant on one class's logits is what Sinkhorn's scaling removes."""
    logits = 2 * torch.randn(30, 4, generator=torch.Generator().manual_seed(seed))
    moved = head.shift(logits, [1, 2], -2.5)
    with mock.patch.object(self_labelling, "_ROUNDS", 2000):
        first, second = (self_labelling.balance(z) for z in (logits, moved))
    assert torch.allclose(first, second, atol=1e-3)


def test_balance_refuses_what_it_cannot_balance() -> None:
    with pytest.raises(ParameterError, match="NaN"):
        self_labelling.balance(torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(ParameterError, match="positive"):
        self_labelling.balance(torch.zeros(2, 2), power=0)


def test_confident_predictions_are_those_above_the_threshold() -> None:
    rows, classes = self_labelling.confident(torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]), 0.55)
    assert (rows.tolist(), classes.tolist()) == ([0, 1], [0, 1])
