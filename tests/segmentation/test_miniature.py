"""The drawings, the small CLIP and the folder they make."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from neoai_utils import small_clip
from neoai_utils.errors import AssetError
from neoai_utils.segmentation import features, files, miniature
from neoai_utils.segmentation.miniature import clip_training, drawings
from neoai_utils.storage import sha256_of

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


# ----------------------------------------------------------------------------------------------------- drawings


@pytest.mark.parametrize("breed", drawings.BREEDS, ids=lambda breed: breed.name)
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
        return drawings.draw(rng, drawings.random_scene(rng, drawings.BREEDS[0]), 60, 80)[0]

    assert np.array_equal(one(1), one(1))
    assert not np.array_equal(one(1), one(2))


def test_what_stands_in_front_is_no_part_of_the_animal():
    scene = drawings.Scene("grass", (), drawings.BREEDS[7], "sitting", None)
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
            picture, mask = drawings.draw(rng, drawings.random_scene(rng, drawings.BREEDS[i % 12]), 60, 80)
            x.append(picture.reshape(-1, 3) / 255)
            y.append(mask.ravel())
        return np.concatenate(x), np.concatenate(y)

    rule = LogisticRegression(class_weight="balanced").fit(*pixels(0))
    x, y = pixels(100)
    guess = rule.predict(x)
    assert abs(np.mean([guess[y].mean(), 1 - guess[~y].mean()]) - 0.5) < 0.12


# ------------------------------------------------------------------------------------------------- the miniature


def test_the_miniature_has_the_competitions_form(built):
    folder, facts = built
    cuties = files.read(folder / "data")
    assert len(cuties.val_masks) == 3
    assert cuties.test_ids == (0, 1, 2, 3, 4)
    assert 0.9 < facts["ceiling"] < 1
    assert files.class_names(folder / "data") == tuple(breed.name for breed in drawings.BREEDS)
    sizes = {(width, height) for width, height, _ in SMALL.sizes}
    assert {size[::-1] for size in cuties.test_images.sizes()} <= sizes
    assert {(249, 202), (600, 798)} <= sizes


def test_answers_are_apart(built):
    folder, _ = built
    assert not list((folder / "data").rglob("*test_mask*"))
    truths = [np.asarray(Image.open(p)) > 0 for p in sorted((folder / "answers/test_masks").iterdir())]
    frame = files.submission(range(5), truths)
    files.check_submission(frame, folder / "data")
    assert files.grade(frame, folder / "answers") == {"mean_iou": 1.0}


def test_the_ceiling_is_the_oracles_score(built):
    folder, facts = built
    truths = [np.asarray(Image.open(p)) > 0 for p in sorted((folder / "answers/test_masks").iterdir())]
    frame = files.submission(range(5), [miniature.oracle_mask(t, SMALL.oracle_grid) for t in truths])
    assert files.grade(frame, folder / "answers")["mean_iou"] == pytest.approx(facts["ceiling"])


def test_building_twice_gives_the_same_bytes(built, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "answers").mkdir()
    miniature.build(SMALL, tmp_path / "data", tmp_path / "answers")
    first, second = (checksums(folder) for folder in (built[0], tmp_path))
    assert first == second


# ------------------------------------------------------------------------------------------------ the small CLIP


def test_the_committed_model_is_the_recipes():
    facts = clip_training.manifest()
    recipe = clip_training.committed_recipe()
    assert recipe == clip_training.TrainingRecipe()
    assert facts["recipe_checksum"] == recipe.checksum()
    assert facts["sha256"] == sha256_of(clip_training.DATA / "clip.safetensors")
    assert (clip_training.DATA / "clip.safetensors").stat().st_size < 2**20
    weights = load_file(clip_training.DATA / "clip.safetensors")
    assert {values.dtype for values in weights.values()} == {torch.float16}
    assert sum(values.numel() for values in weights.values()) == facts["parameters"]
    assert facts["losses"][-1] < facts["losses"][0] - 1


def test_the_recipe_makes_such_a_model(tmp_path):
    """A few steps of the same recipe: same shapes and words, and the loss falls."""
    recipe = dataclasses.replace(clip_training.TrainingRecipe(), pictures=96, epochs=4, batch=16, width=32, rate=3e-3)
    pixels, captions = clip_training.training_pictures(recipe)
    assert pixels.shape == (96, 3, 112, 112) and pixels.dtype == torch.uint8
    tokenizer = clip_training.make_tokenizer(captions, tmp_path)
    losses = clip_training.train(clip_training.make_model(recipe, len(tokenizer)), tokenizer, pixels, captions, recipe)
    assert losses[-1] < losses[0]
    full = clip_training.make_model(clip_training.TrainingRecipe(), clip_training.manifest()["parameters"] and 1)
    committed = load_file(clip_training.DATA / "clip.safetensors")
    named = {k: v.shape for k, v in full.named_parameters() if "token_embedding" not in k}
    assert named == {k: v.shape for k, v in committed.items() if "token_embedding" not in k}


def test_the_exported_clip_knows_its_breeds(built):
    folder, _ = built
    clip = features.load_clip("", folder / "data/clip")
    assert (clip.backbone.grid, len(clip.backbone.blocks)) == (14, 4)
    texts = features.class_embeddings(clip, files.class_names(folder / "data"))
    pictures = []
    for number in range(36):
        rng = np.random.default_rng((99, number))
        scene = dataclasses.replace(drawings.random_scene(rng, drawings.BREEDS[number % 12]), pose="portrait")
        pictures.append(drawings.draw(rng, scene, 120, 160)[0])
    seen = clip.embed_images(features.pixels_of(clip.backbone, pictures)).detach()
    right = ((seen @ texts.T).argmax(1) == torch.arange(36) % 12).float().mean()
    assert right > 0.6  # chance is one in twelve


def test_damaged_weights_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(clip_training, "sha256_of", lambda _path: "0" * 64)
    with pytest.raises(AssetError, match="damaged"):
        clip_training.export(tmp_path)


def test_shared_captions_share_the_target():
    logits = torch.eye(3) * 50
    apart = small_clip.contrastive_loss(logits, torch.tensor([0, 1, 2]))
    assert apart < 1e-6
    same = small_clip.contrastive_loss(logits, torch.tensor([0, 0, 1]))
    assert same > 5  # rows 0 and 1 now want each other too
    assert small_clip.contrastive_loss(torch.zeros(4, 4), torch.arange(4)).item() == pytest.approx(np.log(4))
