"""Neighbours and averages over them."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.continual.neighbours import nearest, smoothed


def clusters() -> torch.Tensor:
    """Three groups of twelve pictures in three directions, (36, 3)."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.eye(3).repeat_interleave(12, dim=0)
    return 7 + centres + 0.05 * torch.randn(36, 3, generator=generator)


@pytest.mark.parametrize(("classes", "count"), [(1, 10), (3, 4), (36, 1), (102, 1)])
def test_neighbours_are_the_most_similar_others(classes: int, count: int) -> None:
    found = nearest(clusters(), classes)
    assert found.shape == (36, count)
    assert torch.equal(found // 12, (torch.arange(36) // 12)[:, None].expand(36, count))
    assert not (found == torch.arange(36)[:, None]).any()


def test_a_direction_in_which_all_pictures_differ_much_does_not_dominate() -> None:
    generator = torch.Generator().manual_seed(1)
    group = torch.arange(200) % 4
    corners = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])[group]
    informative = corners + 0.1 * torch.randn(200, 2, generator=generator)
    features = torch.cat([informative, 4 * torch.randn(200, 1, generator=generator)], dim=1)
    assert (group[nearest(features, 20)] == group[:, None]).float().mean() > 0.95


def test_two_pictures_are_each_others_neighbours() -> None:
    assert nearest(clusters()[[0, 12]], 102).tolist() == [[1], [0]]


def test_smoothing_moves_a_picture_towards_its_neighbours_and_pulls_groups_together() -> None:
    features = clusters()
    groups = features.view(3, 12, 3)
    after = smoothed(features, 3).view(3, 12, 3)
    assert float(after.std(dim=1).mean()) < 0.85 * float(groups.std(dim=1).mean())
    torch.testing.assert_close(after.mean(dim=1), groups.mean(dim=1), rtol=0, atol=0.02)
    expected = 0.7 * features[0] + 0.3 * features[nearest(features, 3)[0]].mean(dim=0)
    torch.testing.assert_close(smoothed(features, 3)[0], expected)
