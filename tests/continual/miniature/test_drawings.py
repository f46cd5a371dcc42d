"""The committed drawings, and how they become pictures."""

from __future__ import annotations

import numpy as np

from neoai_utils.continual.miniature import drawings


def test_the_committed_drawings_have_their_form() -> None:
    content = drawings.load()
    assert content.shape == (102, 70, 28, 28)
    assert len(set(drawings.CLASSES)) == 102
    assert len(set(drawings.WEAK)) == 23
    assert (content.max(axis=(2, 3)) > 100).all(), "no drawing is empty"


def test_packing_rounds_to_sixteen_levels() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    restored = drawings.unpack(drawings.pack(grey))
    assert np.abs(restored.astype(int) - grey).max() <= 8
    np.testing.assert_array_equal(drawings.unpack(drawings.pack(restored)), restored)


def test_the_split_is_fixed_and_complete() -> None:
    content = np.arange(2 * 5, dtype=np.uint8).reshape(2, 5, 1, 1)
    shown, rest = drawings.split(content, 3)
    assert (shown.shape[1], rest.shape[1]) == (3, 2)
    for group, first, second in zip(content, shown, rest, strict=True):
        assert sorted([*first.ravel(), *second.ravel()]) == sorted(group.ravel())
    np.testing.assert_array_equal(drawings.split(content, 3)[0], shown)


def test_painted_pictures_are_light_paper_and_dark_ink() -> None:
    style = drawings.Style()
    for seed in range(10):
        drawing = drawings.load()[seed, 0]
        picture = drawings.paint(drawing, np.random.default_rng(seed), style)
        assert style.longer_side[0] <= max(picture.shape[:2]) <= style.longer_side[1]
        assert max(picture.shape[:2]) / min(picture.shape[:2]) <= 1.35
        assert picture.max() >= 255 * style.paper
        assert picture.min() < 255 * style.paper
