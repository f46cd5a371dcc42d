"""Refinement: known pictures, a slow reference, determinism."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from neoai_utils.segmentation import refine
from neoai_utils.segmentation.metric import iou

MASKS = st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(lambda shape: arrays(bool, shape))


def disc(noise: float = 12.0):
    """A reddish disc on a bluish ground, its mask, and a coarse map of it."""
    rows, columns = np.mgrid[:120, :160]
    mask = np.hypot(rows - 60, columns - 75) < 37
    picture = np.where(mask[..., None], [170, 90, 70], [80, 100, 140]) + np.random.default_rng(0).normal(
        0, noise, (120, 160, 3)
    )
    coarse = ndimage.zoom(mask.astype(np.float32), (14 / 120, 14 / 160), order=1) * 0.7 + 0.15
    return np.clip(picture, 0, 255).astype(np.uint8), mask, coarse.astype(np.float32)


def test_upsample_keeps_constants_and_shape():
    heat = refine.upsample(np.full((14, 14), 0.3, dtype=np.float32), (50, 81))
    assert heat.shape == (50, 81)
    np.testing.assert_allclose(heat, 0.3, atol=1e-6)


@pytest.mark.parametrize("refiner", [refine.guided_filter, refine.grab_cut])
def test_edges_are_found(refiner):
    picture, mask, coarse = disc()
    plain = iou(refine.upsample(coarse, mask.shape) >= 0.5, mask)
    refined = refiner(picture, coarse)
    assert refined.shape == mask.shape
    assert refined.dtype == np.float32
    assert iou(refined >= 0.5, mask) > plain + 0.02


def test_a_constant_map_stays_constant():
    picture, _, _ = disc()
    flat = np.full((14, 14), 0.2, dtype=np.float32)
    np.testing.assert_allclose(refine.guided_filter(picture, flat), 0.2, atol=1e-3)
    assert not refine.grab_cut(picture, flat).any()  # nothing to start from: what the map says, no animal
    assert refine.grab_cut(picture, flat + 0.5).all()


def test_guided_filter_against_a_fit_in_every_window():
    """At full size: in every window a ridge regression of the map on the colours, coefficients averaged (He 2010)."""
    random = np.random.default_rng(1)
    picture = random.integers(0, 255, (9, 11, 3), dtype=np.uint8)
    heat = random.random((9, 11)).astype(np.float32)
    radius, epsilon = 1, 0.01
    guide = picture.astype(np.float64) / 255
    padded_guide = np.pad(guide, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    padded_heat = np.pad(heat.astype(np.float64), 1, mode="symmetric")
    lines = np.zeros((9, 11, 4))
    for r in range(9):
        for c in range(11):
            x = padded_guide[r : r + 3, c : c + 3].reshape(-1, 3)
            y = padded_heat[r : r + 3, c : c + 3].ravel()
            centred = x - x.mean(0)
            slope = np.linalg.solve(centred.T @ centred / 9 + epsilon * np.eye(3), centred.T @ (y - y.mean()) / 9)
            lines[r, c] = [*slope, y.mean() - slope @ x.mean(0)]
    padded = np.pad(lines, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    mean = np.stack([[padded[r : r + 3, c : c + 3].mean((0, 1)) for c in range(11)] for r in range(9)])
    expected = (mean[..., :3] * guide).sum(-1) + mean[..., 3]
    found = refine.guided_filter(picture, heat, radius=radius, epsilon=epsilon, side=9)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_grab_cut_is_the_same_every_time_on_one_core_and_on_many():
    picture, mask, coarse = disc(noise=60.0)
    first = refine.grab_cut(picture, coarse)
    assert set(np.unique(first)) <= {0.0, 1.0}  # smaller than the working size: not stretched
    cuts = refine.in_parallel(refine.grab_cut, [picture] * 6, [coarse] * 6)
    assert all(np.array_equal(first, cut) for cut in cuts)
    small = refine.grab_cut(picture, coarse, side=60)
    assert small.shape == mask.shape


def test_grab_cut_keeps_what_is_certain():
    picture, mask, _ = disc()
    wrong = (~mask[4::8, 4::8]).astype(np.float32)  # the colours say otherwise, certainty wins
    assert iou(refine.grab_cut(picture, wrong) >= 0.5, ~mask) > 0.8


def test_a_blend_honours_its_share():
    _, mask, coarse = disc()
    full = refine.upsample(coarse, mask.shape)
    cut = mask.astype(np.float32)
    np.testing.assert_allclose(refine.blend(coarse, cut, weight=0.0), full, atol=1e-6)
    np.testing.assert_allclose(refine.blend(coarse, cut, weight=1.0), cut, atol=1e-6)
    np.testing.assert_allclose(refine.blend(coarse, cut, weight=0.25), 0.75 * full + 0.25 * cut, atol=1e-6)


def test_cut_and_blend_in_one_call():
    picture, _, coarse = disc(noise=60.0)
    expected = refine.blend(coarse, refine.grab_cut(picture, coarse, start=0.3), weight=0.6, min_iou=0.2, start=0.3)
    assert np.array_equal(refine.cut_blended(picture, coarse, start=0.3, weight=0.6, min_iou=0.2), expected)


def test_a_cut_that_swallowed_the_ground_is_not_trusted():
    _, mask, coarse = disc()
    full, everything = refine.upsample(coarse, mask.shape), np.ones(mask.shape, dtype=np.float32)
    agreement = iou(everything >= 0.5, full >= 0.4)
    np.testing.assert_allclose(refine.blend(coarse, everything, min_iou=agreement + 0.01), full)
    assert not np.allclose(refine.blend(coarse, everything, min_iou=agreement - 0.01), full)


def test_largest_part_known_answer():
    mask = np.zeros((6, 9), dtype=bool)
    mask[1:5, 1:5] = True
    mask[2, 2] = False  # a hole
    mask[0, 7] = True  # a crumb
    kept = refine.largest_part(mask)
    assert kept.sum() == 16
    assert kept[2, 2] and not kept[0, 7]


@given(MASKS)
@settings(max_examples=60)
def test_largest_part_properties(mask):
    kept = refine.largest_part(mask)
    assert kept.shape == mask.shape
    assert kept.any() == mask.any()
    assert ndimage.label(kept)[1] <= 1
    assert np.array_equal(refine.largest_part(kept), kept)


def test_a_refined_mask_is_the_refined_map_cut_and_cleaned():
    picture, _, coarse = disc()
    refined = refine.guided_filter(picture, coarse)
    whole = refine.refined_mask(picture, coarse, refine.guided_filter, 0.4)
    np.testing.assert_array_equal(whole, refined >= 0.4)
    cleaned = refine.refined_mask(picture, coarse, refine.guided_filter, 0.4, refine.largest_part)
    np.testing.assert_array_equal(cleaned, refine.largest_part(refined >= 0.4))
