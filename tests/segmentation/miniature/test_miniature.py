"""The folder that the miniature makes: the competition's form, answers apart, the same bytes again."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from neoai_utils.scores import Grades
from neoai_utils.segmentation import backbones, features, files, miniature
from neoai_utils.segmentation.miniature import drawings
from neoai_utils.segmentation.miniature.coats import BREEDS

SMALL = miniature.Recipe(val=3, test=5)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("miniature")
    (folder / "data").mkdir()
    (folder / "answers").mkdir()
    facts = miniature.build(SMALL, folder / "data", folder / "answers")
    return folder, facts


def checksums(folder):
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.*")}


def test_the_miniature_has_the_competitions_form(built):
    folder, facts = built
    cuties = files.read(folder / "data")
    assert len(cuties.val_masks) == 3
    assert cuties.test_ids == (0, 1, 2, 3, 4)
    assert 0.9 < facts["ceiling"] < 1
    assert files.class_names(folder / "data") == tuple(breed.name for breed in BREEDS)
    sizes = {(width, height) for width, height, _ in SMALL.sizes}
    assert {size[::-1] for size in cuties.test_images.sizes()} <= sizes
    assert {(249, 202), (600, 798)} <= sizes


def test_answers_are_apart(built):
    folder, _ = built
    assert not list((folder / "data").rglob("*test_mask*"))
    truths = [np.asarray(Image.open(p)) > 0 for p in sorted((folder / "answers/test_masks").iterdir())]
    frame = files.submission(range(5), truths)
    files.check_submission(frame, folder / "data")
    assert files.grade(frame, folder / "answers") == Grades(1.0)


def test_the_ceiling_is_the_oracles_score(built):
    folder, facts = built
    truths = [np.asarray(Image.open(p)) > 0 for p in sorted((folder / "answers/test_masks").iterdir())]
    frame = files.submission(range(5), [miniature.oracle_mask(t, SMALL.oracle_grid) for t in truths])
    assert files.grade(frame, folder / "answers").score == pytest.approx(facts["ceiling"])


def test_building_twice_gives_the_same_bytes(built, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "answers").mkdir()
    miniature.build(SMALL, tmp_path / "data", tmp_path / "answers")
    first, second = (checksums(folder) for folder in (built[0], tmp_path))
    assert first == second


def test_the_exported_clip_knows_its_breeds(built):
    folder, _ = built
    clip = backbones.load_clip("", folder / "data/clip")
    assert (clip.backbone.grid, len(clip.backbone.blocks)) == (14, 4)
    texts = features.class_embeddings(clip, files.class_names(folder / "data"))
    pictures = []
    for number in range(36):
        rng = np.random.default_rng((99, number))
        scene = dataclasses.replace(drawings.random_scene(rng, BREEDS[number % 12]), pose="portrait")
        pictures.append(drawings.draw(rng, scene, 120, 160)[0])
    seen = clip.embed_images(features.normalised_pixels(clip.backbone, pictures)).detach()
    right = ((seen @ texts.T).argmax(1) == torch.arange(36) % 12).float().mean()
    assert right > 0.6  # chance is one in twelve
