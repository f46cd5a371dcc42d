"""Emoji and the scenes composed of them."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.diffusion.miniature import concepts, pictures
from neoai_utils.errors import DataError


def test_every_concept_has_its_emoji():
    emoji = pictures.load()
    codes = {code for concept in concepts.CONCEPTS for code in (concept.code, concept.face) if code}
    assert set(emoji) == {f"{folder}/{code}" for folder in ("noto", "fluent") for code in codes}
    assert all(sprite.size == (64, 64) for sprite in emoji.values())
    assert all(sprite.getchannel("A").getextrema() == (0, 255) for sprite in emoji.values()), "cut out"


def test_the_archive_must_be_the_committed_one(tmp_path, monkeypatch):
    damaged = tmp_path / "emoji.zip"
    damaged.write_bytes(pictures.FILE.read_bytes()[:-1])
    monkeypatch.setattr(pictures, "FILE", damaged)
    pictures.load.cache_clear()
    with pytest.raises(DataError, match="missing or damaged"):
        pictures.load()
    pictures.load.cache_clear()


def test_a_scene_is_drawn_anew_from_the_same_seed():
    scene = pictures.Scene(concepts.CONCEPTS[0], "a photo of", "on grass")
    first, again, other = (pictures.compose(scene, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert first.shape == (pictures.SIDE, pictures.SIDE, 3)


def test_a_sketch_is_grey_and_a_ground_is_seen():
    rng = np.random.default_rng(0)
    sketch = pictures.compose(pictures.Scene(concepts.CONCEPTS[1], "a sketch of", "on grass"), rng)
    assert np.ptp(sketch, axis=2).max() == 0
    night, snow = (pictures.ground(name, rng).mean() for name in ("at night", "in snow"))
    assert night < 80 < 180 < snow
