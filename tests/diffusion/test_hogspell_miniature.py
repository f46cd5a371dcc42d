"""Emoji, scenes, the committed networks and the folder that they make."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from neoai_utils.diffusion import files, miniature, prompts
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.judge import load_judge
from neoai_utils.diffusion.miniature import concepts, pictures, training
from neoai_utils.errors import AssetError, DataError
from neoai_utils.storage import sha256_of
from tests.diffusion.conftest import SMALL


def test_every_concept_has_its_emoji():
    emoji = pictures.load()
    codes = {code for concept in concepts.CONCEPTS for code in (concept.code, concept.face) if code}
    assert set(emoji) == {f"{folder}/{code}" for folder in ("noto", "fluent") for code in codes}
    assert all(sprite.size == (64, 64) for sprite in emoji.values())
    assert all(sprite.getchannel("A").getextrema() == (0, 255) for sprite in emoji.values()), "cut out"


def test_no_word_is_said_of_two_concepts():
    words = [word for concept in concepts.CONCEPTS for word in concept.words]
    assert len(words) == len(set(words))
    assert set(concepts.TRAPS) <= {concept.names[0] for concept in concepts.CONCEPTS}


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


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_prompts_are_dealt_as_hard_as_the_originals(seed):
    recipe = miniature.Recipe(seed=seed)
    dealt = miniature.deal(recipe)
    assert dealt == miniature.deal(recipe)
    texts = [text for text, _, _ in dealt]
    kinds = [kind for _, kind, _ in dealt]
    assert len(set(texts)) == len(texts) == recipe.horse + recipe.pig + recipe.neutral
    assert {kind: kinds.count(kind) for kind in files.KINDS} == {"horse": 36, "pig": 27, "neutral": 27}
    horses = [text for text, kind, _ in dealt if kind == "horse"]
    assert sum("horse" in text for text in horses) < len(horses) / 4
    near = [word for concept in concepts.CONCEPTS if concept.names[0] in concepts.TRAPS for word in concept.words]
    traps = sum(any(word in text for word in near) for text, kind, _ in dealt if kind == "neutral")
    assert traps >= 8
    assert not set(texts) & set(prompts.check_prompts(42)[0])


def test_the_oracle_says_pig_and_changes_nothing_else():
    for text, kind, oracle in miniature.deal(miniature.Recipe()):
        if kind != "horse":
            assert oracle == text
        else:
            before, after = re.split(r"an? ", text, maxsplit=1)[0], re.split(r"an? ", oracle, maxsplit=1)[0]
            assert "pig" in oracle
            assert before in (after, text)


def test_the_committed_networks_are_the_recipes():
    facts = training.manifest()
    recipe = training.Training()
    assert facts["recipe_checksum"] == recipe.checksum()
    assert set(facts["sha256"]) == set(training.PARTS)
    for part, checksum in facts["sha256"].items():
        path = pictures.DATA / f"{part}.safetensors"
        assert sha256_of(path) == checksum
        assert path.stat().st_size < 8 * 2**20
    pipe = training.committed_pipeline()
    models = {"text": pipe.text_encoder, "vae": pipe.vae, "unet": pipe.unet}
    for part, model in models.items():
        assert sum(values.numel() for values in model.parameters()) == facts["parameters"][part]


def test_a_damaged_network_is_not_loaded(monkeypatch):
    monkeypatch.setattr(training, "sha256_of", lambda _path: "0" * 64)
    with pytest.raises(AssetError, match="damaged"):
        training.committed_pipeline()


def test_weights_fit_the_names_of_either_transformers():
    state = {"embeddings.weight": torch.zeros(1)}
    old, new = torch.nn.Module(), torch.nn.Module()
    old.text_model, new.embeddings = torch.nn.Module(), torch.nn.Linear(1, 1, bias=False)
    old.text_model.embeddings = torch.nn.Linear(1, 1, bias=False)
    prefixed = training._text_names(old, state)
    assert set(prefixed) == set(old.state_dict())
    assert set(training._text_names(new, prefixed)) == set(training._text_names(new, state)) == set(new.state_dict())


def test_the_recipe_still_makes_such_networks(tmp_path, monkeypatch):
    """A few steps of every part: losses fall, and what is written is read back."""
    monkeypatch.setattr(pictures, "DATA", tmp_path)
    monkeypatch.setattr(training, "MANIFEST", tmp_path / "networks.json")
    recipe = dataclasses.replace(SMALL, pictures=96, clip_epochs=4, text_epochs=4)
    for part in training.PARTS:
        training.make(part, recipe, torch.device("cpu"))
    facts = training.manifest()
    assert facts["recipe_checksum"] == recipe.checksum()
    for part in ("judge", "text"):
        assert facts["losses"][part][-1] < facts["losses"][part][0]
    assert set(facts["sha256"]) == set(training.PARTS)


def test_autoencoder_and_network_learn():
    pixels, _ = training.draw_pictures(SMALL, "vae")
    losses = training.train_autoencoder(training.make_autoencoder(SMALL), pixels, SMALL, every=10)
    assert losses[-1] < 0.9 * losses[0]
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn((8, SMALL.latent, 8, 8), generator=generator)
    states = torch.randn((3, SMALL.length, SMALL.text[0]), generator=generator)
    said = torch.ones((8, 2), dtype=torch.long)
    losses = training.train_unet(training.make_unet(SMALL), latents, states, said, SMALL, every=10)
    assert losses[-1] < losses[0]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    data, answers = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("answers")
    torch.set_num_threads(1)
    facts = miniature.build(miniature.Recipe(horse=12, pig=9, neutral=9), data, answers)
    return data, answers, facts


def test_the_folder_reads_as_the_competitions(built):
    data, answers, facts = built
    given = files.read(data)
    assert len(given.texts) == 30
    assert json.loads((data / "prompts.json").read_text())["0"] == given.texts[0]
    assert "kind" not in (data / "prompts.json").read_text()
    assert 0.7 < facts["ceiling"] <= 1
    again = {
        path.name: sha256_of(path)
        for folder in (data / "judge", answers / "judge")
        for path in folder.iterdir()
        if path.suffix == ".safetensors"
    }
    assert len(again) == 1, "the judge is given, and the grader's is the same"


def test_the_judge_knows_real_pictures(built):
    data, _, _ = built
    rng = np.random.default_rng(1000)
    judge = load_judge(data / "judge")
    for concept, place in ((concepts.CONCEPTS[0], 1), (concepts.CONCEPTS[1], 0)):
        scenes = [pictures.Scene(concept, style, ground) for style in prompts.STYLES for ground in concepts.GROUNDS]
        drawn = [Image.fromarray(pictures.compose(scene, rng)) for scene in scenes]
        assert (judge(drawn, [files.texts_for("", "horse")] * len(drawn)) == place).mean() >= 0.95
    noise = [Image.fromarray(rng.integers(0, 256, (pictures.SIDE, pictures.SIDE, 3), np.uint8)) for _ in range(10)]
    assert (judge(noise, [files.texts_for("", "pig")] * 10) == 2).mean() >= 0.9
    seen = []
    for concept in concepts.CONCEPTS[2:]:
        for style in prompts.STYLES:
            drawn = Image.fromarray(pictures.compose(pictures.Scene(concept, style, "in snow"), rng))
            text = prompts.sentence(concept.words[-1], style, "in snow")
            seen.append(int(judge([drawn], [files.texts_for(text, "neutral")])[0]))
    assert np.mean(np.array(seen) == 0) >= 0.95


def test_the_unedited_model_draws_what_it_is_told(built):
    data, answers, _ = built
    given = files.read(data)
    pipe = training.committed_pipeline()
    pipe.set_progress_bar_config(disable=True)
    drawn = draw(pipe, given.texts, dataclasses.replace(miniature.sampling(miniature.Recipe()), seed=5))
    found = files.grade(files.submission(drawn), answers)
    assert found["pig"] >= 0.85
    assert found["neutral"] >= 0.85
    assert found["horse"] <= 0.1
