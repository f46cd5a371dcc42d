"""The ridge probe against scikit-learn, leaving out against plain refits, and that nobody peeks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from neoai_utils.segmentation import patch_probe, ridge_probe
from neoai_utils.segmentation.ridge_probe import RidgeProbe
from tests.segmentation.conftest import toy


@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 30.0]))
@settings(max_examples=20)
def test_the_fit_is_scikit_learns(seed, penalty):
    features, masks = toy(pictures=3, seed=seed)
    probe = RidgeProbe(penalty).fit(features, masks)
    plain = Ridge(alpha=penalty).fit(features.reshape(-1, 6), patch_probe.soft_labels(masks, 14).ravel())
    np.testing.assert_allclose(probe.slope, plain.coef_, atol=1e-3)
    np.testing.assert_allclose(probe.predict(features).ravel(), plain.predict(features.reshape(-1, 6)), atol=2e-3)


def without(features, masks, out, penalty=1.0):
    """A plain refit on all pictures but some."""
    kept = [i for i in range(len(masks)) if i not in out]
    return RidgeProbe(penalty).fit(features[kept], [masks[i] for i in kept])


def test_leaving_one_out_is_a_refit_on_the_others():
    features, masks = toy(pictures=4)
    maps = ridge_probe.left_out(features, masks, (0.5, 5.0))
    for penalty, found in maps.items():
        for i in range(4):
            np.testing.assert_allclose(found[i], without(features, masks, {i}, penalty).predict(features[i]), atol=1e-3)


def test_leaving_two_out_is_a_refit_on_the_rest():
    features, masks = toy(pictures=4)
    pairs = ridge_probe.left_out_pairs(features, masks, 1.0)
    assert pairs.shape == (4, 4, 14, 14)
    for i in range(4):
        for j in range(4):
            expected = without(features, masks, {i, j}).predict(features[j])
            np.testing.assert_allclose(pairs[i, j], expected, atol=1e-3)


def test_a_left_out_picture_never_sees_its_own_mask():
    """Turning one mask upside down changes every other picture's map and leaves its own as it was, in both inputs."""
    features, masks = toy(pictures=5)
    turned = [*masks[:2], ~masks[2], *masks[3:]]
    for way in (lambda m: ridge_probe.left_out(features, m, (1.0,))[1.0], lambda m: second(features, m)):
        before, after = way(masks), way(turned)
        np.testing.assert_allclose(before[2], after[2], atol=1e-4)
        assert all(np.abs(before[i] - after[i]).max() > 0.05 for i in (0, 1, 3, 4))


def second(features, masks):
    return ridge_probe.left_out_second(features, masks, 1.0)


def test_noise_teaches_nothing():
    random = np.random.default_rng(0)
    masks = [random.random((14, 14)) < 0.5 for _ in range(6)]
    features = random.normal(size=(6, 14, 14, 400)).astype(np.float32)
    own = RidgeProbe(1.0).fit(features, masks).predict(features)
    assert np.mean((own > 0.5) == np.stack(masks)) > 0.7
    for maps in (ridge_probe.left_out(features, masks, (1.0,))[1.0], second(features, masks)):
        assert np.mean((maps > 0.5) == np.stack(masks)) == pytest.approx(0.5, abs=0.06)


def test_centred_pictures_have_no_mean():
    features, _ = toy(pictures=3)
    centred = ridge_probe.centred(features + 7)
    np.testing.assert_allclose(centred.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(centred, ridge_probe.centred(features), atol=1e-5)
    assert centred.dtype == np.float32


def test_the_second_stage_finds_the_pictures_own_direction():
    """Two kinds of cells and a map that is mostly right: likeness is positive on one kind, negative on the other."""
    random = np.random.default_rng(0)
    truth = np.zeros((1, 10, 10), dtype=bool)
    truth[0, :, :4] = True
    features = np.where(truth[..., None], [1.0, 0.0], [0.0, 1.0]) + random.normal(0, 0.05, (1, 10, 10, 2))
    maps = np.where(truth, 0.8, 0.2)
    maps[0, 5, 1], maps[0, 5, 8] = 0.1, 0.9  # the map is wrong here
    inputs = ridge_probe.second_stage(features.astype(np.float32), maps.astype(np.float32))
    assert inputs.shape == (1, 10, 10, 5)
    assert np.array_equal(inputs[..., 0] > 0, truth)
    np.testing.assert_allclose(inputs[..., 1], maps, atol=1e-6)
    assert inputs[0, 5, 1, 2] > 0.5  # the neighbourhood knows better


def test_a_map_without_doubt_or_without_animal_is_no_reason_to_fail():
    features, _ = toy(pictures=2)
    for value in (0.0, 1.0):
        inputs = ridge_probe.second_stage(features, np.full((2, 14, 14), value, dtype=np.float32))
        assert np.isfinite(inputs).all()


def test_the_second_stage_helps_where_the_animals_differ():
    """Each picture's animal has a direction of its own; the common part is weak."""
    random = np.random.default_rng(2)
    masks, cells = [], []
    for _ in range(8):
        mask = np.zeros((56, 56), dtype=bool)
        top, left = random.integers(4, 24, 2)
        mask[top : top + 28, left : left + 28] = True
        own, common = random.normal(size=16), np.eye(16)[0]
        share = patch_probe.soft_labels([mask], 14)[0][..., None]
        cells.append(share * (0.8 * own + common) + random.normal(0, 0.4, (14, 14, 16)))
        masks.append(mask)
    features = ridge_probe.centred(np.stack(cells).astype(np.float32))
    truth = patch_probe.soft_labels(masks, 14)
    first, twice = ridge_probe.left_out(features, masks, (1.0,))[1.0], second(features, masks)
    assert np.mean((twice - truth) ** 2) < 0.8 * np.mean((first - truth) ** 2)


def test_the_maps_of_both_stages_do_not_depend_on_the_batch():
    """Two pictures at a time give what all give at once."""
    features, masks = toy(pictures=5)
    first = RidgeProbe(1.0).fit(features, masks)
    heat = first.predict(features)
    inputs = ridge_probe.second_stage(features, heat)
    second = RidgeProbe().fit(inputs, masks)
    whole = np.stack([heat, second.predict(inputs)], axis=1)
    for start in range(0, 5, 2):
        batch = slice(start, start + 2)
        np.testing.assert_allclose(ridge_probe.two_stage_maps(features[batch], first, second), whole[batch], atol=1e-4)
