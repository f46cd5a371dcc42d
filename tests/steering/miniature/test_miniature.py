"""The miniature: the roles of its passages, its files, its ceiling."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd
import pytest
import torch

from neoai_utils.errors import AssetError
from neoai_utils.steering import autoencoders, files, miniature, models
from neoai_utils.steering.miniature import autoencoder, passages
from neoai_utils.steering.pairs import read_pairs
from neoai_utils.storage import sha256_of

SMALL = miniature.Recipe(prompts=24, pairs=40, detector=100, window=60)


def test_no_passage_has_two_roles(table) -> None:
    for seed in range(3):
        parts = miniature.assign(table, miniature.Recipe(seed=seed))
        assert [len(part) for part in parts] == [96, 600, 1000, 400]
        prompts = [p.prompt for part in parts for p in part]
        assert len(prompts) == len(set(prompts))
        pool = {p.prompt for p in table[:1000]}
        assert {p.prompt for p in parts[0]} <= pool
        assert not pool & {p.prompt for part in parts[1:] for p in part}


def test_seeds_assign_differently(table) -> None:
    first, again, other = (miniature.assign(table, miniature.Recipe(seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, float]]:
    """A small miniature; skipped where the real MiniLM is out of reach."""
    folder = tmp_path_factory.mktemp("miniature")
    data, answers = folder / "data", folder / "answers"
    data.mkdir()
    answers.mkdir()
    try:
        return data, answers, miniature.build(SMALL, data, answers)
    except AssetError as problem:
        pytest.skip(str(problem))


@pytest.mark.assets
def test_the_miniature_has_the_competitions_files(built) -> None:
    data, _, _ = built
    assert sorted(p.relative_to(data).as_posix() for p in data.rglob("*") if p.is_file()) == [
        "detector/probe.safetensors", "detector/window.json", "hc3.csv",
        *(f"saes/block{n}/{name}" for n in range(16, 21) for name in ("cfg.json", "sae_weights.safetensors")),
        "settings.json", "test.csv",
    ]  # fmt: skip
    assert list(pd.read_csv(data / "test.csv").columns) == ["prompt"]
    pairs = pd.read_csv(data / "hc3.csv")
    assert list(pairs.columns) == ["question", "human_answers", "chatgpt_answers", "source"]
    assert all(isinstance(ast.literal_eval(cell), list) for cell in pairs["human_answers"])
    assert len(files.read(data)) == 24
    assert len(read_pairs(data / "hc3.csv")) <= 40
    assert not set(files.read(data)) & set(pairs["question"])


@pytest.mark.assets
def test_the_autoencoders_in_the_data_are_the_committed_ones(built) -> None:
    data, _, _ = built
    settings = models.Settings.read(data)
    assert settings == models.Settings("smollm2-135m", (16, 17, 18, 19, 20), passages.SAMPLING)
    states = torch.randn(5, 576, generator=torch.Generator().manual_seed(0))
    for layer in settings.layers[::4]:
        sae = autoencoders.from_folder(models.sae_folder(data, layer))
        assert torch.equal(sae.encode(states), autoencoder.committed(layer).encode(states))


@pytest.mark.assets
def test_the_answers_are_not_among_the_data(built) -> None:
    data, answers, _ = built
    text = "".join(p.read_text() for p in data.rglob("*.csv"))
    for reference in pd.read_csv(answers / "answers.csv")["generation"]:
        assert reference[60:] not in text


@pytest.mark.assets
def test_humans_score_far_above_the_machine(built) -> None:
    data, answers, facts = built
    assert facts["ceiling"] > facts["machine"] + 0.25
    assert facts["ceiling"] > 0.75
    frame = pd.read_csv(answers / "answers.csv")
    files.check_submission(frame, data)
    assert files.grade(frame, answers).score == facts["ceiling"]
    assert files.grade(frame, answers).parts["content"] == 1.0
    other = frame.assign(generation=[p + " bananas and pyjamas" * 9 for p in frame["prompt"]])
    assert files.grade(other, answers).score < facts["ceiling"] - 0.3


@pytest.mark.assets
def test_the_same_seed_builds_the_same_bytes(built, tmp_path: Path) -> None:
    data, answers, facts = built
    (tmp_path / "data").mkdir()
    (tmp_path / "answers").mkdir()
    assert miniature.build(SMALL, tmp_path / "data", tmp_path / "answers") == facts
    for made in (p for folder in (data, answers) for p in folder.rglob("*") if p.is_file()):
        twin = tmp_path / made.relative_to(data.parent)
        assert sha256_of(twin) == sha256_of(made)
