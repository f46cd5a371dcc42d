"""The drawings: shapes, masks, repeatability, and that colour does not separate the animal."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neoai_utils.segmentation.miniature import drawings
from neoai_utils.segmentation.miniature.coats import BREEDS


@pytest.mark.parametrize("breed", BREEDS, ids=lambda breed: breed.name)
def test_every_breed_in_a_random_scene(breed):
    rng = np.random.default_rng(5)
    picture, mask = drawings.draw(rng, drawings.random_scene(rng, breed), 90, 120)
    assert picture.shape == (90, 120, 3) and picture.dtype == np.uint8
    assert mask.shape == (90, 120) and mask.dtype == bool
    assert 0.02 < mask.mean() < 0.9


def test_a_scene_without_an_animal_has_an_empty_mask():
    rng = np.random.default_rng(0)
    scene = drawings.random_scene(rng, None)
    assert not drawings.draw(rng, scene, 60, 80)[1].any()
    captions = {scene.caption(np.random.default_rng(i)) for i in range(20)}
    assert all("cat" not in c.split() and "dog" not in c.split() for c in captions)


def test_same_seed_same_picture():
    def one(seed):
        rng = np.random.default_rng(seed)
        return drawings.draw(rng, drawings.random_scene(rng, BREEDS[0]), 60, 80)[0]

    assert np.array_equal(one(1), one(1))
    assert not np.array_equal(one(1), one(2))


def test_what_stands_in_front_is_no_part_of_the_animal():
    scene = drawings.Scene("grass", (), BREEDS[7], "sitting", None)
    covered = dataclasses.replace(scene, in_front="cushion")
    free, hidden = (drawings.draw(np.random.default_rng(3), s, 120, 160)[1] for s in (scene, covered))
    assert (free & ~hidden).any()
    assert not (hidden & ~free).any()


def test_colour_does_not_tell_the_animal():
    """Grounds wear the coats' colours: a colour rule learnt on twenty pictures fails on the next twenty."""
    from sklearn.linear_model import LogisticRegression

    def pixels(start):
        x, y = [], []
        for i in range(start, start + 20):
            rng = np.random.default_rng(i)
            picture, mask = drawings.draw(rng, drawings.random_scene(rng, BREEDS[i % 12]), 60, 80)
            x.append(picture.reshape(-1, 3) / 255)
            y.append(mask.ravel())
        return np.concatenate(x), np.concatenate(y)

    rule = LogisticRegression(class_weight="balanced").fit(*pixels(0))
    x, y = pixels(100)
    guess = rule.predict(x)
    assert abs(np.mean([guess[y].mean(), 1 - guess[~y].mean()]) - 0.5) < 0.12
