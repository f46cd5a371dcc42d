"""Looks and their halves."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans

from neoai_utils.clustering import looks
from neoai_utils.clustering.vectors import unit


def noisy_views(count, spread, seed=0):
    """Return looks of the same forty pictures in each of four groups: the groups stay, the noise is new."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(4), 40)
    centres = rng.normal(size=(4, 12))
    noise = spread * rng.normal(size=(count, 160, 12))
    return [unit((centres[truth] + one).astype(np.float32)) for one in noise], truth


def k_means(vectors):
    return KMeans(4, n_init=5, random_state=0).fit_predict(vectors)


def test_the_halves_share_no_look():
    views = [np.eye(4, dtype=np.float32)[[i]] for i in range(4)]
    described = looks.Looks.of(views)
    even, odd = described.halves
    assert np.allclose(described.whole, 0.5)
    assert (even[0] > 0).tolist() == [True, False, True, False]
    assert (odd[0] > 0).tolist() == [False, True, False, True]
    assert np.allclose(np.linalg.norm(even, axis=1), 1)


def test_agreement_falls_with_the_noise_and_is_none_without_groups():
    found = []
    for spread in (0.3, 1.5, 100.0):
        views, _ = noisy_views(4, spread)
        found.append(looks.Looks.of(views).agreement(k_means))
    clean, noisy, none = (grades.score for grades in found)
    assert clean == 1.0
    assert clean > noisy > none
    assert abs(none) < 0.05
    assert found[1].error > 0


def test_agreement_uses_the_halves_alone():
    views, _ = noisy_views(2, 0.3)
    described = looks.Looks.of(views)
    spoilt = looks.Looks(np.full_like(described.whole, np.nan), described.halves)
    assert spoilt.agreement(k_means) == described.agreement(k_means)


def test_two_descriptions_count_the_same():
    """The inner products of joined rows are the means of both inner products."""
    first, second = (looks.Looks.of(noisy_views(2, 0.5, seed)[0]) for seed in (0, 1))
    joined = looks.join(first, second)
    for both, one, other in zip(
        (joined.whole, *joined.halves), (first.whole, *first.halves), (second.whole, *second.halves), strict=True
    ):
        assert np.allclose(both @ both.T, (one @ one.T + other @ other.T) / 2, atol=1e-5)


def test_looks_of_other_pictures_are_not_joined():
    one, other = looks.Looks.of(noisy_views(2, 0.5)[0]), looks.Looks.of([np.ones((3, 2), np.float32)] * 2)
    with pytest.raises(ValueError, match="dimension"):
        looks.join(one, other)
