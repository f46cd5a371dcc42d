"""Rehearsals at the competition's size: counted operations, continued costs, predicted times."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.counting import Products, Total
from benchmarks.rehearse import T4, Cost, continued, on_cards


@pytest.mark.parametrize("inference", [False, True])
def test_products_are_counted_forwards_and_backwards(inference: bool) -> None:
    """A product of (3, 10) and (10, 20) takes 2 x 3 x 10 x 20 operations, and its two gradients as many each."""
    layer, inputs = torch.nn.Linear(10, 20), torch.zeros(3, 10, requires_grad=True)
    heads = torch.zeros(1, 2, 5, 8)
    total = Total()
    with Products(total), torch.inference_mode(inference):
        outputs = layer(inputs)
        assert total.count == 1200
        scaled_dot_product_attention(heads, heads, heads)
        assert total.count == 1200 + 2 * 2 * 2 * 5 * 5 * 8
        if not inference:
            outputs.sum().backward()
            assert total.count == 3 * 1200 + 1600


def test_a_cost_is_continued_along_its_line() -> None:
    half = [Cost("fixed", 5.0, 1.0, processor=9.0), Cost("grows", 3.0, 2.0, products=10.0, processor=6.0)]
    whole = [Cost("fixed", 7.1, 1.0, processor=9.4), Cost("grows", 5.0, 2.5, products=18.0, processor=10.0)]
    (fixed, no), (grown, yes) = continued(half, whole, 0.1)
    assert (no, yes) == (False, True)
    assert fixed.seconds == pytest.approx(7.1), "other programs slowed it down"
    # 20 times the half share; one second is fixed, two are for a half
    assert grown.seconds == pytest.approx(1 + 20 * 2)
    assert grown.resident == pytest.approx(1.5 + 20 * 0.5)
    assert grown.products == pytest.approx(2 + 20 * 8)


def test_only_cells_full_of_products_run_on_the_card() -> None:
    speed = 1e11
    cells = [Cost("network", 100.0, products=9e12), Cost("table", 7.0, products=1e9)]
    assert on_cards("task2", cells, speed, 1) == pytest.approx(9e12 / T4[4] + 7)
    assert on_cards("task3", cells, speed, 2) == pytest.approx(9e12 / T4[2] + 7)
    assert on_cards("task6", cells, speed, 2) == pytest.approx(9e12 / T4[2] / 2 + 7)
