"""The published probe bit for bit, and soft labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from neoai_utils.segmentation import patch_probe
from neoai_utils.segmentation.patch_probe import PublishedProbe
from tests.segmentation.conftest import toy


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


def test_published_probes_leave_the_picture_out():
    """Against scikit-learn's regression, fitted to the cells of the other pictures."""
    features, masks = toy(pictures=3)
    maps = patch_probe.left_out_published(features, masks)
    labels = patch_probe.hard_labels(masks, 14)
    others = [0, 2]
    plain = LogisticRegression(max_iter=1000).fit(features[others].reshape(-1, 6), labels[others].ravel())
    np.testing.assert_allclose(maps[1], plain.predict_proba(features[1].reshape(-1, 6))[:, 1].reshape(14, 14))
    changed = [*masks[:1], ~masks[1], *masks[2:]]
    np.testing.assert_array_equal(patch_probe.left_out_published(features, changed)[1], maps[1])
