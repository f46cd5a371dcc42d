"""Random views of a photograph."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering.miniature import photographs
from neoai_utils.clustering.miniature.augment import Augmentation, augmented

STILL = Augmentation(tilt=0, crop=0, light=0, blur=0.3, noise=0, patch=(16, 48), patched=0)


def test_without_changes_a_view_is_only_turned():
    photograph = np.add.outer(np.arange(128.0), 3 * np.arange(128.0)).astype(np.float32) / 2
    view = augmented(photograph, 128, STILL, np.random.default_rng(0))
    ways = [np.rot90(p, turn) for p in (photograph, photograph[:, ::-1]) for turn in range(4)]
    gaps = [np.abs(view - way)[4:-4, 4:-4].max() for way in ways]  # blur and borders aside
    assert min(gaps) < 2
    assert sorted(gaps)[1] > 20


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_views_are_grey_pictures(seed):
    photograph = photographs.load()[seed % 96]
    strengths = Augmentation(180, 0.9, 1.0, 5.0, 60.0, (16, 48), 1.0)
    view = augmented(photograph, 128, strengths, np.random.default_rng(seed))
    assert (view.shape, view.dtype) == ((128, 128), np.float32)
    assert view.min() >= 0 and view.max() <= 255
