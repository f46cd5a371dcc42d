"""The closed-form edit: the minimum of its objective, known answers, and a real UNet of tiny width."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.diffusion.closed_form import edit, key_value_projections, redirect, solve
from neoai_utils.diffusion.texts import paired_states, states
from neoai_utils.errors import ParameterError


def objective(new, old, source, target, keep, strength):
    """As the module's docstring writes it."""
    moved = (source @ new.T - target @ old.T).square().sum()
    kept = (keep @ new.T - keep @ old.T).square().sum()
    return moved + kept + strength * (new - old).square().sum()


def draw(seed, rows, keeps, width=6):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((4, width), (rows, width), (rows, width), (keeps, width))
    return [torch.randn(shape, generator=generator, dtype=torch.double) for shape in shapes]


@settings(max_examples=30)
@given(st.integers(0, 1000), st.integers(1, 5), st.integers(0, 5), st.sampled_from([0.01, 0.1, 1.0, 10.0]))
def test_nothing_near_the_solution_is_better(seed, rows, keeps, strength):
    old, source, target, keep = draw(seed, rows, keeps)
    new = solve(old, source, target, keep, strength)
    best = objective(new, old, source, target, keep, strength)
    for step in torch.randn((8, *new.shape), generator=torch.Generator().manual_seed(1), dtype=torch.double):
        assert objective(new + 1e-3 * step, old, source, target, keep, strength) >= best - 1e-9


def test_a_weak_pull_moves_the_source_and_spares_what_is_kept():
    old, source, target, keep = draw(0, 2, 3)
    new = solve(old, source, target, keep, 1e-9)
    assert torch.allclose(source @ new.T, target @ old.T, atol=1e-5)
    assert torch.allclose(keep @ new.T, keep @ old.T, atol=1e-5)
    assert torch.allclose(solve(old, source, target, keep, 1e9), old, atol=1e-6)


def test_nothing_to_change_changes_nothing():
    old, source, _, keep = draw(0, 2, 3)
    assert torch.allclose(solve(old, source, source, keep, 0.1), old, atol=1e-10)


def test_what_does_not_fit():
    old, source, target, keep = draw(0, 2, 3)
    with pytest.raises(ParameterError, match="strength must be above 0"):
        solve(old, source, target, keep, 0.0)
    with pytest.raises(ParameterError, match="rows of width 6"):
        solve(old, source, target[:1], keep, 0.1)
    with pytest.raises(ParameterError, match="rows of width 6"):
        solve(old, source, target, keep[:, :5], 0.1)


@pytest.fixture
def unet():
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=24,
        attention_head_dim=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()  # fmt: skip


@torch.no_grad()
def test_an_edited_network_takes_one_text_for_the_other(unet):
    generator = torch.Generator().manual_seed(1)
    latent = torch.randn((1, 4, 8, 8), generator=generator)
    horse, pig, cow = (torch.randn((1, 5, 24), generator=generator) for _ in range(3))
    before = {name: unet(latent, 10, text).sample for name, text in (("horse", horse), ("pig", pig), ("cow", cow))}
    old = edit(unet, horse[0], pig[0], torch.cat([pig[0], cow[0]]), 1e-7)
    assert torch.allclose(unet(latent, 10, horse).sample, before["pig"], atol=1e-3)
    assert torch.allclose(unet(latent, 10, cow).sample, before["cow"], atol=1e-3)
    assert (before["horse"] - before["pig"]).abs().max() > 1e-2
    for name, layer in key_value_projections(unet).items():
        layer.weight.copy_(old[name])
    assert torch.equal(unet(latent, 10, horse).sample, before["horse"])


def test_only_cross_attention_is_touched(unet):
    before = {name: weight.clone() for name, weight in unet.state_dict().items()}
    edit(unet, torch.randn(2, 24), torch.randn(2, 24), torch.randn(0, 24), 0.1)
    changed = {name for name, weight in unet.state_dict().items() if not torch.equal(weight, before[name])}
    assert changed == {f"{name}.weight" for name in key_value_projections(unet)}
    assert all("attn2" in name for name in changed)


def test_a_network_without_text():
    with pytest.raises(ParameterError, match="no cross-attention"):
        key_value_projections(torch.nn.Linear(2, 2))


@torch.no_grad()
def test_all_positions_of_pairs_and_kept_prompts_count(pipe):
    pair, keep = ("a photo of a mare", "a photo of a pig"), "a photo of a cow"
    old = redirect(pipe, [pair], [keep], 0.1)
    source, target = paired_states(pipe, pair[:1], pair[1:])
    for name, layer in key_value_projections(pipe.unet).items():
        expected = solve(old[name], source, target, states(pipe, [keep])[0], 0.1)
        assert torch.allclose(layer.weight, expected, atol=1e-6)
        assert not torch.allclose(layer.weight, old[name], atol=1e-3)
    assert set(redirect(pipe, [pair], [], 0.1)) == set(old), "TIME keeps nothing"
