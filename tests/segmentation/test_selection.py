"""The choices made by left-out scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.segmentation import metric, refine, ridge_probe, selection
from tests.segmentation.conftest import toy


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


def test_a_mask_probe_chooses_by_pictures_that_it_has_not_seen():
    features, masks = toy(pictures=6)
    probe = selection.MaskProbe((1e9, 1.0)).fit(features, masks)
    assert probe.penalty == 1.0
    left_out = ridge_probe.left_out(features, masks, (1.0,))[1.0]
    np.testing.assert_allclose(probe.left_out, left_out, atol=1e-6)
    enlarged = [refine.upsample(heat, mask.shape) for heat, mask in zip(left_out, masks, strict=True)]
    best = selection.threshold_curve(enlarged, masks).max()
    assert metric.mean_iou(probe.masks(probe.left_out, [mask.shape for mask in masks]), masks) == pytest.approx(best)


def test_a_mask_probe_segments_other_pictures_in_their_own_size():
    features, masks = toy(pictures=8)
    found = selection.MaskProbe().fit(features[:6], masks[:6]).predict(features[6:], [(70, 100), (35, 50)])
    assert [mask.shape for mask in found] == [(70, 100), (35, 50)]
    assert metric.iou(found[0], masks[6]) > 0.8
    assert metric.iou(found[1], masks[7][::2, ::2]) > 0.8
