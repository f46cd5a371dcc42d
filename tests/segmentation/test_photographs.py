"""The photographs: what the archive holds, who is credited, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from neoai_utils.errors import DataError
from neoai_utils.segmentation import photographs


def test_what_the_archive_holds():
    birds = photographs.load()
    assert len(set(birds.names)) == 60
    for image, mask in zip(birds.images, birds.masks, strict=True):
        assert image.shape == (120, 120, 3)
        assert image.dtype == np.uint8
        assert mask.shape == (120, 120)
        assert 0.01 < mask.mean() < 0.7
        assert ndimage.label(mask)[1] == 1  # one bird, in one piece
        assert np.array_equal(mask, ndimage.binary_fill_holes(mask))


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
