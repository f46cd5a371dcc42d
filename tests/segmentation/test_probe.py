"""Probes: the published one bit for bit, the soft one against scikit-learn, the choices against cheating."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from neoai_utils.segmentation import patch_probe, selection
from neoai_utils.segmentation.patch_probe import PublishedProbe, SoftProbe

RANDOM = np.random.default_rng(0)


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
@settings(max_examples=40, deadline=None)
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
@settings(max_examples=60, deadline=None)
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


# ------------------------------------------------------------------------------------------------ soft logistic


@pytest.mark.parametrize("c", [0.1, 1.0, 30.0])
def test_soft_logistic_equals_scikit_learn_on_hard_labels(c):
    x = RANDOM.normal(size=(400, 5)).astype(np.float32) + 3
    y = (x @ np.arange(5) + RANDOM.normal(size=400) > 30).astype(np.float32)
    vectors, offsets = patch_probe.fit_soft_logistic(x, y, c)
    plain = LogisticRegression(C=c, max_iter=5000, tol=1e-8).fit(x, y)
    scores = 1 / (1 + np.exp(-(x @ vectors[:, 0] + offsets[0])))
    np.testing.assert_allclose(scores, plain.predict_proba(x)[:, 1], atol=5e-3)


def test_soft_labels_are_doubled_rows_with_weights():
    """A share of 0.3 is three tenths of an animal row and seven tenths of a ground row."""
    x = RANDOM.normal(size=(300, 4)).astype(np.float32)
    y = RANDOM.random(300).astype(np.float32)
    vectors, offsets = patch_probe.fit_soft_logistic(x, y, 1.0)
    plain = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    plain.fit(np.concatenate([x, x]), np.repeat([1, 0], 300), sample_weight=np.concatenate([y, 1 - y]))
    np.testing.assert_allclose(vectors[:, 0], plain.coef_[0], atol=5e-3)
    np.testing.assert_allclose(offsets[0], plain.intercept_[0], atol=5e-3)


def test_left_out_picture_by_picture():
    """All folds at once give what one fit per fold gives."""
    features, masks = toy(pictures=4)
    fast = selection.left_out_probabilities([features], masks, 1.0)
    for left in range(4):
        others = [i for i in range(4) if i != left]
        probe = SoftProbe(1.0).fit([features[others]], [masks[i] for i in others])
        np.testing.assert_allclose(fast[left], probe.predict([features[left]]), atol=0.01)


def test_a_left_out_picture_never_sees_its_own_mask():
    """Noise features: the fit on itself looks clever, the left-out one knows nothing."""
    random = np.random.default_rng(1)
    masks = [random.random((14, 14)) < 0.5 for _ in range(4)]
    features = random.normal(size=(4, 14, 14, 300)).astype(np.float32)
    labels = np.stack(masks)
    own = SoftProbe(10.0).fit([features], masks).predict([features])
    left_out = selection.left_out_probabilities([features], masks, 10.0)
    assert np.mean((own > 0.5) == labels) > 0.7
    assert np.mean((left_out > 0.5) == labels) == pytest.approx(0.5, abs=0.08)


def test_soft_probe_learns():
    features, masks = toy(pictures=6)
    probe = SoftProbe().fit([features[:4]], masks[:4])
    heat = probe.predict([features[4:]])
    assert heat.shape == (2, 14, 14)
    assert heat.dtype == np.float32
    truth = patch_probe.soft_labels(masks[4:], 14)
    assert np.corrcoef(heat.ravel(), truth.ravel())[0, 1] > 0.7


def test_threshold_choice():
    heat = np.array([[0.1, 0.35, 0.45, 0.9]], dtype=np.float32)
    mask = np.array([[False, False, True, True]])
    curve = selection.threshold_curve([heat], [mask], (0.2, 0.4, 0.6))
    np.testing.assert_allclose(curve, [2 / 3, 1.0, 0.5])
    assert selection.best_threshold(curve, (0.2, 0.4, 0.6)) == 0.4
    assert selection.best_threshold(np.array([1.0, 1.0, 1.0]), (0.2, 0.4, 0.6)) == 0.4  # the middle of ties
    cleaned = selection.threshold_curve([heat], [mask], (0.2,), clean=lambda m: m & [[0, 0, 1, 1]] > 0)
    np.testing.assert_allclose(cleaned, [1.0])


def test_views_are_averaged():
    features, masks = toy(pictures=3)
    noisy = features + RANDOM.normal(0, 1, features.shape).astype(np.float32)
    probe = SoftProbe().fit([features, noisy], masks)
    both = probe.predict([features, noisy])
    np.testing.assert_allclose(both, (probe.predict([features]) + probe.predict([noisy])) / 2, atol=1e-6)


def test_the_strength_with_the_best_left_out_score_is_chosen():
    features, masks = toy(pictures=4)
    strength, maps = selection.choose_strength([features], masks, (1e-6, 1.0))
    assert strength == 1.0  # 1e-6 cannot tell any cell from another
    np.testing.assert_allclose(maps, selection.left_out_probabilities([features], masks, 1.0), atol=1e-6)


def test_every_refiner_gets_its_curve():
    heat = np.array([[[0.1, 0.9]]], dtype=np.float32)
    picture = np.zeros((1, 2, 3), dtype=np.uint8)
    mask = np.array([[False, True]])
    refiners = {"as it is": lambda _picture, m: m, "upside down": lambda _picture, m: 1 - m}
    curves = selection.curves_of(refiners, [picture], heat, [mask])
    assert curves["as it is"].max() == 1.0
    assert curves["upside down"].max() < 1.0
