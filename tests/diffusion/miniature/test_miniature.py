"""The folder that the miniature builds, its prompts, its judge and its model."""

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
from neoai_utils.diffusion.metric import KINDS, texts_for
from neoai_utils.diffusion.miniature import committed, concepts, pictures
from neoai_utils.storage import sha256_of


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_prompts_are_as_hard_as_the_originals(seed):
    recipe = miniature.Recipe(seed=seed)
    drawn = miniature.draw_prompts(recipe)
    assert drawn == miniature.draw_prompts(recipe)
    texts = [text for text, _, _ in drawn]
    kinds = [kind for _, kind, _ in drawn]
    assert len(set(texts)) == len(texts) == recipe.horse + recipe.pig + recipe.neutral
    assert {kind: kinds.count(kind) for kind in KINDS} == {"horse": 36, "pig": 27, "neutral": 27}
    horses = [text for text, kind, _ in drawn if kind == "horse"]
    assert sum("horse" in text for text in horses) < len(horses) / 4
    similar = [word for concept in concepts.CONCEPTS if concept.names[0] in concepts.SIMILAR for word in concept.words]
    hard = sum(any(word in text for word in similar) for text, kind, _ in drawn if kind == "neutral")
    assert hard >= 8
    assert not set(texts) & set(prompts.validation_prompts(42)[0])


def test_the_oracle_says_pig_and_changes_nothing_else():
    for text, kind, oracle in miniature.draw_prompts(miniature.Recipe()):
        if kind != "horse":
            assert oracle == text
        else:
            before, after = re.split(r"an? ", text, maxsplit=1)[0], re.split(r"an? ", oracle, maxsplit=1)[0]
            assert "pig" in oracle
            assert before in (after, text)


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
    assert len(again) == 1, "the given judge is the grader's"


def test_the_judge_classifies_real_pictures(built):
    data, _, _ = built
    rng = np.random.default_rng(1000)
    judge = load_judge(data / "judge")
    for concept, index in ((concepts.CONCEPTS[0], 1), (concepts.CONCEPTS[1], 0)):
        scenes = [pictures.Scene(concept, style, ground) for style in prompts.STYLES for ground in concepts.GROUNDS]
        drawn = [Image.fromarray(pictures.compose(scene, rng)) for scene in scenes]
        assert (judge(drawn, [texts_for("", "horse")] * len(drawn)) == index).mean() >= 0.95
    noise = [Image.fromarray(rng.integers(0, 256, (pictures.SIDE, pictures.SIDE, 3), np.uint8)) for _ in range(10)]
    assert (judge(noise, [texts_for("", "pig")] * 10) == 2).mean() >= 0.9
    best = []
    for concept in concepts.CONCEPTS[2:]:
        for style in prompts.STYLES:
            drawn = Image.fromarray(pictures.compose(pictures.Scene(concept, style, "in snow"), rng))
            text = prompts.sentence(concept.words[-1], style, "in snow")
            best.append(int(judge([drawn], [texts_for(text, "neutral")])[0]))
    assert np.mean(np.array(best) == 0) >= 0.95


def test_the_unedited_model_draws_its_prompts(built):
    data, answers, _ = built
    given = files.read(data)
    pipe = committed.pipeline()
    pipe.set_progress_bar_config(disable=True)
    drawn = draw(pipe, given.texts, dataclasses.replace(miniature.sampling(miniature.Recipe()), seed=5))
    parts = files.grade(files.submission(drawn), answers).parts
    assert parts["pig"] >= 0.85
    assert parts["neutral"] >= 0.85
    assert parts["horse"] <= 0.1
