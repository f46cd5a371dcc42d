"""Offsets that spread predictions evenly over the classes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.continual.balancing import class_offsets, class_shares
from neoai_utils.errors import ParameterError


def drawn(seed: int, pictures: int = 60, classes: int = 7) -> torch.Tensor:
    """Logits of a network that prefers some classes."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(pictures, classes, generator=generator) + torch.linspace(-2, 2, classes)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_the_logarithms_of_the_shares_go_the_given_part_of_the_way(seed: int, evenness: float) -> None:
    logits = drawn(seed)
    before = class_shares(logits).log()
    after = class_shares(logits + class_offsets(logits, evenness)).log()
    expected = ((1 - evenness) * before).log_softmax(dim=0)
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-3)


def test_full_evenness_gives_each_class_its_share() -> None:
    logits = drawn(0)
    even = class_shares(logits + class_offsets(logits))
    torch.testing.assert_close(even, torch.full((7,), 1 / 7, dtype=torch.float64), rtol=0, atol=1e-4)


def test_two_pictures_and_two_classes_by_hand() -> None:
    """Both pictures prefer class 0; balanced, the one that prefers it less goes to class 1."""
    logits = torch.tensor([[3.0, 0.0], [1.0, 0.0]])
    offsets = class_offsets(logits)
    assert float(offsets[1] - offsets[0]) == pytest.approx(2.0, abs=1e-4)
    assert (logits + offsets).argmax(dim=1).tolist() == [0, 1]


def test_a_preference_for_a_class_is_removed_whatever_its_size() -> None:
    logits = drawn(1)
    preferring = logits + torch.tensor([5.0, 0, 0, -3, 0, 0, 0])
    balanced = [(one + class_offsets(one)).softmax(dim=1) for one in (logits, preferring)]
    torch.testing.assert_close(*balanced, rtol=0, atol=1e-4)


def test_no_evenness_changes_no_prediction() -> None:
    logits = drawn(2)
    offsets = class_offsets(logits, 0.0)
    torch.testing.assert_close(offsets, offsets[:1].expand(7), rtol=0, atol=1e-5)


def test_even_predictions_stay(pictures: int = 14) -> None:
    logits = 5 * torch.eye(7).repeat(pictures // 7, 1)
    assert float(class_offsets(logits).abs().max()) < 1e-5


def test_classes_of_unequal_frequency_are_harmed() -> None:
    """Nine sure pictures of class 0 and one of class 1: balancing moves right predictions to the rare class."""
    logits = torch.zeros(10, 2)
    logits[:9, 0] = torch.linspace(1, 3, 9)
    logits[9, 1] = 2
    assert int((logits + class_offsets(logits)).argmax(dim=1).sum()) > 1
    assert int((logits + class_offsets(logits, 0.0)).argmax(dim=1).sum()) == 1


@pytest.mark.parametrize("evenness", [-0.1, 1.1, math.nan])
def test_an_evenness_out_of_range_is_refused(evenness: float) -> None:
    with pytest.raises(ParameterError, match="between 0 and 1"):
        class_offsets(drawn(0), evenness)


def test_logits_that_are_no_number_are_refused() -> None:
    logits = drawn(0)
    logits[3, 2] = math.nan
    with pytest.raises(ParameterError, match="diverged"):
        class_offsets(logits)
