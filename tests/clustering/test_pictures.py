"""Products, light and orientations of pictures."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering import pictures


def test_batches_are_the_products_in_order():
    rng = np.random.default_rng(0)
    left, right = rng.random((19, 5, 2), np.float32), rng.random((19, 2, 5), np.float32)
    parts = list(pictures.batches(left, right))
    assert [len(part) for part in parts] == [8, 8, 3]
    assert np.allclose(np.concatenate(parts), np.einsum("nik,nkj->nij", left, right))


def test_products_are_never_all_in_memory():
    left, right = np.ones((2000, 128, 4), np.float32), np.ones((2000, 4, 128), np.float32)
    tracemalloc.start()
    for part in pictures.batches(left, right):
        pictures.normalised(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # all products together would be 131 MB


@given(st.floats(0.2, 5), st.floats(-50, 50), st.integers(0, 100))
@settings(max_examples=30)
def test_normalised_light_is_independent_of_brightness_and_contrast(contrast, brightness, seed):
    picture = np.random.default_rng(seed).uniform(0, 255, (1, 16, 16)).astype(np.float32)
    changed = picture * np.float32(contrast) + np.float32(brightness)
    assert np.allclose(pictures.normalised(changed), pictures.normalised(picture), atol=1e-3)


def test_a_flat_picture_stays_finite():
    assert np.isfinite(pictures.normalised(np.zeros((1, 8, 8), np.float32))).all()


def test_the_orientations_are_eight_and_different():
    picture = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    ways = {pictures.oriented(picture, way).tobytes() for way in range(8)}
    assert len(ways) == 8
    assert np.array_equal(pictures.oriented(picture, 0), picture)
    assert np.array_equal(pictures.oriented(picture, 4), picture[:, :, ::-1])


def test_factors_as_pictures_show_each_profile_as_a_bar():
    left = np.arange(512, dtype=np.float32).reshape(1, 128, 4)
    right = np.full((1, 4, 128), 7, np.float32)
    (picture,) = next(pictures.factors_as_pictures(left, right))
    assert picture.shape == (64, 64)
    assert np.array_equal(picture[:, 8], left[0, ::2, 1])
    assert (picture[:, 32:] == 7).all()


def test_frames_differ_for_marked_pictures():
    right, wrong = (pictures.framed(np.zeros((4, 4), np.float32), marked) for marked in (False, True))
    assert right.shape == wrong.shape == (20, 20, 3)
    assert np.array_equal(right[8:-8, 8:-8], wrong[8:-8, 8:-8]) and (right[0] != wrong[0]).any()
