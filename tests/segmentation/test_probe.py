"""The published probe bit for bit, soft labels, and the choices made by left-out scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from neoai_utils.segmentation import patch_probe, ridge_probe, selection
from neoai_utils.segmentation.patch_probe import PublishedProbe


def toy(pictures: int = 5, grid: int = 14, width: int = 6, seed: int = 0):
    """Pictures whose left part is animal; the features know it, with noise."""
    random = np.random.default_rng(seed)
    masks, cells = [], []
    for _ in range(pictures):
        edge = random.integers(20, 80)
        mask = np.zeros((70, 100), dtype=bool)
        mask[:, :edge] = True
        share = patch_probe.soft_labels([mask], grid)[0]
        cells.append(random.normal(0, 0.5, (grid, grid, width)) + share[..., None] * np.linspace(-1, 1, width))
        masks.append(mask)
    return np.stack(cells).astype(np.float32), masks


def test_labels():
    mask = np.zeros((28, 42), dtype=bool)
    mask[:, :21] = True
    assert patch_probe.hard_labels([mask], 14)[0].mean() == pytest.approx(0.5, abs=0.04)
    mask[:] = False
    mask[:1, :3] = True
    soft = patch_probe.soft_labels([mask], 14)[0]
    assert soft[0, 0] == pytest.approx(0.5)  # one of the cell's two rows
    assert soft.sum() == pytest.approx(0.5)


@given(st.integers(14, 90), st.integers(14, 90), st.integers(0, 2**31))
@settings(max_examples=40)
def test_soft_labels_keep_the_area(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.3
    soft = patch_probe.soft_labels([mask], 14)[0]
    assert 0 <= soft.min() <= soft.max() <= 1
    assert soft.mean() == pytest.approx(mask.mean(), abs=0.05)  # whole pixels fall to one cell or the next


def test_published_probe_is_the_published_recipe():
    """Against a plain re-telling: scikit-learn's regression on hard labels, one cell after the other."""
    features, masks = toy()
    probe = PublishedProbe().fit(features, masks)
    labels = patch_probe.hard_labels(masks, 14)
    plain = LogisticRegression(max_iter=1000).fit(features.reshape(-1, 6), labels.ravel())
    slow = probe.predict_cell_by_cell(features[0])
    np.testing.assert_array_equal(slow[2, 3], plain.predict_proba(features[0, 2, 3][None])[0, 1])
    np.testing.assert_allclose(probe.predict(features)[0], slow, atol=1e-6)


@given(st.integers(0, 2**31), st.integers(2, 300), st.integers(2, 300))
@settings(max_examples=60)
def test_fast_published_masks_are_the_slow_ones_bit_for_bit(seed, height, width):
    heats = np.random.default_rng(seed).random((2, 14, 14)) ** 2
    fast = patch_probe.published_masks(heats, [(height, width)] * 2)
    for heat, mask in zip(heats, fast, strict=True):
        assert np.array_equal(mask, patch_probe.published_mask(heat, (height, width)))


@pytest.mark.parametrize("size", [(202, 249), (375, 500), (500, 333), (798, 600)])
def test_fast_published_masks_at_real_sizes(size):
    heats = np.random.default_rng(size).random((3, 14, 14))
    for heat, mask in zip(heats, patch_probe.published_masks(heats, [size] * 3), strict=True):
        assert np.array_equal(mask, patch_probe.published_mask(heat, size))


# ------------------------------------------------------------------------------------------------ choices


def test_threshold_choice():
    heat = np.array([[0.1, 0.35, 0.45, 0.9]], dtype=np.float32)
    mask = np.array([[False, False, True, True]])
    curve = selection.threshold_curve([heat], [mask], (0.2, 0.4, 0.6))
    np.testing.assert_allclose(curve, [2 / 3, 1.0, 0.5])
    assert selection.best_threshold(curve, (0.2, 0.4, 0.6)) == 0.4
    assert selection.best_threshold(np.array([1.0, 1.0, 1.0]), (0.2, 0.4, 0.6)) == 0.4  # the middle of ties
    cleaned = selection.threshold_curve([heat], [mask], (0.2,), clean=lambda m: m & [[0, 0, 1, 1]] > 0)
    np.testing.assert_allclose(cleaned, [1.0])


def test_the_penalty_with_the_best_left_out_score_is_chosen():
    features, masks = toy(pictures=4)
    penalty, maps = selection.choose_penalty(features, masks, (1e9, 1.0))
    assert penalty == 1.0  # 1e9 cannot tell any cell from another
    np.testing.assert_allclose(maps, ridge_probe.left_out(features, masks, (1.0,))[1.0], atol=1e-6)


@given(st.integers(0, 2**31), st.floats(0, 1))
@settings(max_examples=40)
def test_the_quick_curve_is_the_slow_one(seed, share):
    """One pass of counting gives what thresholding one by one gives, values on a threshold and empty masks included."""
    random = np.random.default_rng(seed)
    heats = [np.round(random.random((9, 11)), 2).astype(np.float32) for _ in range(3)]
    masks = [random.random((9, 11)) < share, random.random((9, 11)) < 0.3, np.zeros((9, 11), dtype=bool)]
    quick = selection.threshold_curve(heats, masks)
    slow = selection.threshold_curve(heats, masks, clean=lambda mask: mask)
    np.testing.assert_allclose(quick, slow, atol=1e-12)
