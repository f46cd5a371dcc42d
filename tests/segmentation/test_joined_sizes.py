"""Features of several sizes, joined: scikit-learn's components, PyTorch's stretching, the right places."""

from __future__ import annotations

from functools import partial

import numpy as np
from sklearn.decomposition import PCA

from neoai_utils.segmentation.features import dense_features
from neoai_utils.segmentation.joined_sizes import ShortFeatures, joined, joined_batches, stretched

RANDOM = np.random.default_rng(0)
CELLS = RANDOM.normal(size=(5, 8, 8, 12)).astype(np.float32)


def in_twos(pictures):
    """Take the cells of numbered "pictures" in batches of two."""
    for start in range(0, len(pictures), 2):
        yield CELLS[list(pictures[start : start + 2])]


def test_stretching_keeps_places_and_constant_features():
    cells = np.zeros((1, 2, 2, 2), dtype=np.float32)
    cells[0, 0, 1, 0], cells[..., 1] = 1.0, 3.0
    fine = stretched(cells, 8)
    assert fine.shape == (1, 8, 8, 2)
    assert fine.dtype == np.float32
    assert fine[0, 0, 7, 0] == fine[..., 0].max() == 1.0  # top right stays top right
    assert fine[0, :, :4, 0].max() < 0.5
    np.testing.assert_allclose(fine[..., 1], 3.0, atol=1e-6)
    np.testing.assert_array_equal(stretched(fine, 8), fine)


def test_short_features_are_the_principal_components():
    short = ShortFeatures(in_twos, 6).fit_transform(range(5))
    plain = PCA(6, svd_solver="full").fit_transform(CELLS.reshape(-1, 12).astype(np.float64)).reshape(5, 8, 8, 6)
    assert short.dtype == np.float32
    np.testing.assert_allclose(np.abs(short), np.abs(plain), atol=1e-3)  # a component's sign is free


def test_all_components_keep_every_distance():
    """Nothing is whitened: with all components, cells are as far apart as before."""
    short = ShortFeatures(in_twos).fit_transform(range(5)).reshape(-1, 12)
    cells = CELLS.reshape(-1, 12)
    before, after = (np.linalg.norm(points - points[0], axis=1) for points in (cells, short))
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_other_pictures_get_the_components_of_the_fitted_ones():
    size = ShortFeatures(in_twos, 4)
    fitted = size.fit_transform(range(3))
    others = size.transform([2, 4, 0])
    assert others.dtype == np.float16
    np.testing.assert_allclose(others[[2, 0]], fitted[[0, 2]], atol=5e-3)


def test_joined_cells_hold_every_size():
    coarse = RANDOM.normal(size=(5, 4, 4, 3)).astype(np.float32)
    cells = joined([coarse, CELLS])
    assert cells.shape == (5, 8, 8, 15)
    np.testing.assert_array_equal(cells[..., :3], stretched(coarse, 8))
    np.testing.assert_array_equal(cells[..., 3:], CELLS)


def test_batches_of_joined_sizes(tiny_clip, pictures):
    grids = [partial(dense_features, tiny_clip.backbone, layers=(4,), scale=scale, batch=1) for scale in (1, 1.5)]
    sizes = [ShortFeatures(grid, 8) for grid in grids]
    expected = joined([size.fit_transform(pictures) for size in sizes])
    batches = list(joined_batches([size.transform(pictures) for size in sizes], batch=1))
    assert [len(batch) for batch in batches] == [1, 1]
    np.testing.assert_allclose(np.concatenate(batches), expected, atol=5e-3)
