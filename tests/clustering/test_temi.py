"""Clustering heads trained on frozen vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from neoai_utils.clustering import temi
from tests.clustering.conftest import blobs


def test_heads_find_planted_groups():
    vectors, truth = blobs()
    assert adjusted_rand_score(truth, temi.head_clusters(vectors, 10, 4, seed=0)) > 0.95


def test_the_same_seed_gives_the_same_labels(monkeypatch):
    monkeypatch.setattr(temi, "_STEPS", 50)
    vectors, _ = blobs(spread=1.0)
    first, second = (temi.head_clusters(vectors, 10, 4, seed=1) for _ in range(2))
    assert np.array_equal(first, second)


def certain(clusters):
    """Return a head's distributions of pictures that belong to given clusters without a doubt."""
    return torch.eye(4)[torch.tensor(clusters)][None]


def test_the_loss_of_certain_pairs_is_known():
    """Pairs in one of four clusters of equal size carry log 4; pairs in two clusters weigh nothing."""
    shares = torch.full((1, 4), 0.25)
    together = certain([0, 1, 2, 3])
    assert temi.pair_losses([together] * 2, [together] * 2, shares).item() == pytest.approx(-np.log(4))
    apart = [certain([0, 1]), certain([1, 0])]
    soft = [torch.full((1, 2, 4), 0.25)] * 2
    assert temi.pair_losses(soft, apart, shares).item() == 0


def test_one_cluster_for_all_carries_no_information():
    everyone = certain([0, 0, 0, 0])
    shares = torch.tensor([[1.0, 1e-9, 1e-9, 1e-9]])
    assert temi.pair_losses([everyone] * 2, [everyone] * 2, shares).item() == pytest.approx(0)
