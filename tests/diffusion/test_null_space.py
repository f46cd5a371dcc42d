"""The edit in the null space: the minimum of its objective, what is kept stays to the last digits, a real UNet."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.diffusion.closed_form import key_value_projections
from neoai_utils.diffusion.null_space import null_space, redirect, solve
from neoai_utils.diffusion.texts import paired_states, states
from neoai_utils.errors import ParameterError


def draw(seed, rows, keeps, width=6):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((4, width), (rows, width), (rows, width), (keeps, width))
    return [torch.randn(shape, generator=generator, dtype=torch.double) for shape in shapes]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 5), st.sampled_from([0.01, 0.1, 1.0, 10.0]))
def test_what_is_kept_stays_and_nothing_near_the_solution_is_better(seed, rows, keeps, strength):
    old, source, target, keep = draw(seed, rows, keeps)
    directions = null_space(keep, 0.0)
    assert directions.shape == (6, 6 - keeps)
    new = solve(old, source, target, directions, strength)
    assert torch.allclose(keep @ new.T, keep @ old.T, atol=1e-5)

    def objective(matrix):
        return (source @ matrix.T - target @ old.T).square().sum() + strength * (matrix - old).square().sum()

    best = objective(new)
    for step in torch.randn((8, 4, 6 - keeps), generator=torch.Generator().manual_seed(1), dtype=torch.double):
        assert objective(new + 1e-3 * step @ directions.T) >= best - 1e-9


def test_a_weak_pull_moves_the_source():
    old, source, target, keep = draw(0, 2, 3)
    new = solve(old, source, target, null_space(keep, 0.0), 1e-9)
    assert torch.allclose(source @ new.T, target @ old.T, atol=1e-5)


def test_a_share_of_the_sum_of_squares():
    keep = torch.diag(torch.tensor([1.0, 2.0, 3.0, 4.0]))  # squares: 1, 4, 9, 16 of 30
    assert null_space(keep, 0.04).shape == (4, 1)
    directions = null_space(keep, 0.17)
    assert torch.allclose(directions.abs(), torch.eye(4, dtype=torch.double)[:, :2])
    assert (keep.double() @ directions).square().sum() <= 0.17 * 30
    with pytest.raises(ParameterError, match="larger share"):
        null_space(keep, 0.01)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        null_space(keep, 1.0)
    with pytest.raises(ParameterError, match="strength must be above 0"):
        solve(keep, keep, keep, directions, 0.0)


@torch.no_grad()
def test_all_layers_read_the_source_as_the_target_within_the_directions(pipe):
    pair, keep = ("a photo of a mare", "a photo of a pig"), "a photo of a cow"
    old = redirect(pipe, [pair], [keep], 0.1, 0.01)
    source, target = paired_states(pipe, pair[:1], pair[1:])
    directions = null_space(states(pipe, [keep])[0], 0.01)
    for name, layer in key_value_projections(pipe.unet).items():
        assert torch.allclose(layer.weight, solve(old[name], source, target, directions, 0.1), atol=1e-6)
        assert not torch.equal(layer.weight, old[name])
