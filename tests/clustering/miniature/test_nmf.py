"""The factorisation against planted factors and scikit-learn's solver."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from sklearn.decomposition import NMF

from neoai_utils.clustering import miniature
from neoai_utils.clustering.miniature.nmf import factorise


def test_exact_factors_are_recovered():
    rng = np.random.default_rng(0)
    exact = (rng.random((3, 20, 2)) @ rng.random((3, 2, 30))).astype(np.float32)
    left, right = factorise(exact, rank=2, iterations=3000, seed=0)
    assert np.abs(left @ right - exact).max() < 0.02 * exact.max()


def test_as_good_as_the_solver_of_scikit_learn():
    _, views = miniature.make_pictures(miniature.Recipe(difficulty="kind", per_cluster=1))
    left, right = factorise(views[:4], 4, 100, seed=0)
    for picture, w, h in zip(views[:4], left, right, strict=True):
        model = NMF(4, init="random", solver="mu", max_iter=100, tol=0, random_state=0)
        reference = np.linalg.norm(picture - model.fit_transform(picture) @ model.components_)
        assert np.linalg.norm(picture - w @ h) < 1.1 * reference


def test_more_steps_never_raise_the_error():
    pictures = np.random.default_rng(1).random((2, 16, 16), dtype=np.float32)
    errors = [np.linalg.norm(pictures - np.matmul(*factorise(pictures, 3, steps, 0))) for steps in (1, 2, 5, 20, 80)]
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(errors))


def test_black_pictures_have_finite_factors():
    left, right = factorise(np.zeros((2, 8, 8), np.float32), 4, 10, 0)
    assert np.isfinite(left).all() and np.isfinite(right).all()
