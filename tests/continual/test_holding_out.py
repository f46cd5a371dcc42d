"""No picture is judged by a network that saw it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.continual.holding_out import held_out_logits
from tests.continual.conftest import LABELS


@pytest.mark.parametrize("labels", [LABELS, [*range(12)], [0, 0, *range(10)]], ids=["three", "one", "two"])
def test_each_picture_is_judged_once_by_a_network_without_it(labels: list[int]) -> None:
    """The logits are marked by the call and by the picture."""
    seen: list[set[int]] = []

    def judge(rest: np.ndarray, out: np.ndarray) -> torch.Tensor:
        seen.append(set(rest.tolist()))
        return torch.tensor([[len(seen) - 1, row] for row in out.tolist()])

    found = held_out_logits(torch.tensor(labels), judge)
    assert found[:, 1].tolist() == list(range(12))
    assert all(row not in seen[call] for call, row in found.tolist())
    assert [len(rest) for rest in seen] == [8, 8, 8]


def test_two_pictures_are_enough() -> None:
    found = held_out_logits(torch.tensor([4, 5]), lambda rest, out: torch.zeros(len(out), 102))
    assert found.shape == (2, 102)
