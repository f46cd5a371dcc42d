"""The miniature: derived sentences, the committed classifier and its recipe, the broken model's files."""

from __future__ import annotations

import json
import tarfile
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from neoai_utils import offline, storage
from neoai_utils.embeddings import evaluation, files, miniature
from neoai_utils.embeddings.miniature import classifier, sentences
from neoai_utils.errors import AssetError, DataError


def archive_of(lines, path):
    inner = BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for genre, stem in sentences.GENRES.items():
            content = lines.get(genre, "").encode()
            info = tarfile.TarInfo(f"hutto_ICWSM_2014/{stem}_GroundTruth.txt")
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    with zipfile.ZipFile(path, "w") as outer:
        outer.writestr("vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz", inner.getvalue())
    return path


def test_sentences_are_well_formed():
    frame = sentences.load()
    assert set(frame["genre"]) == set(sentences.GENRES)
    assert frame["rating"].between(-4, 4).all()
    assert frame["text"].is_unique
    assert frame["text"].str.len().between(1, sentences.LONGEST).all()


def test_sentences_are_derived_from_the_archive(tmp_path):
    lines = {
        "tweet": "1\t2.5\tlove  you &amp; me\r\n2\t-1\tlove you & me\r\n3\t0.1234567\t" + "x" * 141 + "\r\n",
        "film": "1\t-3.33333333\tdull\r\n",
    }
    archive = archive_of(lines, tmp_path / "vader.zip")
    frame = sentences.extract(archive)
    assert frame.to_numpy().tolist() == [["tweet", 2.5, "love you & me"], ["film", -3.333, "dull"]]
    sentences.derive(archive, tmp_path / "a.gz")
    sentences.derive(archive, tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_another_archive_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"not the source archive of vaderSentiment 0\.5"):
        sentences.extract(tmp_path / "x.zip")


def test_shown_texts_never_train_the_classifier():
    training = classifier.Training()
    shown, rest = classifier.texts_and_classes(training)
    assert len(shown) == sum(count for _, count in training.shown) == 4999
    assert not set(shown["text"]) & set(rest["text"])
    assert len(shown) + len(rest) == len(sentences.load())
    share = np.bincount(shown["class"]) / len(shown)
    assert share.min() > 0.25  # no class is rare
    assert (shown["class"] == 2).equals(shown["rating"] < training.below)
    assert (shown["class"] == 1).equals(shown["rating"] > training.above)


def test_committed_classifier_belongs_to_its_record():
    record = json.loads(classifier.RECORD.read_text(encoding="utf-8"))
    assert record["recipe_sha256"] == classifier.recipe_hash(classifier.Training())
    assert record["weights_sha256"] == storage.sha256_of(classifier.WEIGHTS)
    assert record["sentences_sha256"] == storage.sha256_of(sentences.FILE)
    assert record["loss_last_50"] < record["loss_first_50"]
    assert classifier.WEIGHTS.stat().st_size < 8_000_000


def test_recipe_trains_low_rank_changes_only(tiny_model, tmp_path, monkeypatch):
    """A few steps on a tiny BERT: the loss falls, the embeddings stay, and what is saved is loaded again."""
    import torch
    from safetensors.torch import load_file

    training = classifier.Training(rank=4, epochs=60, batch=8, learning_rate=0.03)
    model, tokenizer = files.load_model(tiny_model)
    texts, labels = ["walk jump", "cook cook", "hunter rest"] * 16, [0, 1, 2] * 16
    frozen = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(0)
    losses = classifier.fine_tune(model, tokenizer, texts, labels, training, steps=150)
    assert len(losses) == 150
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    weights = tmp_path / "tiny.safetensors"
    classifier.save(model, training, losses, weights)
    assert not [name for name in load_file(weights) if "embeddings" in name or "LayerNorm" in name]
    assert json.loads(weights.with_suffix(".json").read_text())["steps"] == 150

    fresh, _ = files.load_model(tiny_model)
    fresh.load_state_dict(frozen)
    monkeypatch.setattr(classifier, "WEIGHTS", weights)
    monkeypatch.setattr(classifier, "RECORD", weights.with_suffix(".json"))
    monkeypatch.setattr(classifier, "_untrained", lambda: (fresh, tokenizer))
    loaded, _ = classifier.load()
    inputs = tokenizer(texts[:3], return_tensors="pt", padding=True)
    with torch.no_grad():
        assert loaded(**inputs).logits.numpy() == pytest.approx(model(**inputs).logits.numpy(), abs=0.05)

    weights.write_bytes(weights.read_bytes() + b" ")
    with pytest.raises(AssetError, match="damaged"):
        classifier.load()


def test_miniature_has_the_competition_s_form(tiny_model, tmp_path, monkeypatch):
    """The whole build, with a tiny model in MiniLM's place."""

    def load():
        model, tokenizer = files.load_model(tiny_model)
        table, _ = files.table_of(model, tokenizer)
        evaluation.install(model, np.where(table.any(axis=1, keepdims=True), table, np.float32(0.01)))
        return model, tokenizer

    monkeypatch.setattr(classifier, "load", load)
    folders = [tmp_path / name for name in ("data", "answers", "data2", "answers2")]
    for folder in folders:
        folder.mkdir()
    recipe = miniature.Recipe(seed=3, lost=40)
    facts = miniature.build(recipe, *folders[:2])
    given = files.read(folders[0])
    assert (len(given.val_texts), len(given.test_texts)) == (2500, 2499)
    assert not set(given.val_texts) & set(given.test_texts)
    assert given.test_ids == tuple(range(5000, 7499))
    model, tokenizer = files.load_model(given.model_dir)
    table, words = files.table_of(model, tokenizer)
    lost = [words[i] for i in np.flatnonzero(~table.any(axis=1))]
    assert len(lost) == facts["lost"] == 40
    assert not {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"} & set(lost)
    assert "labels" not in pd.read_csv(folders[0] / "test.csv").columns
    assert 0 < facts["ceiling"] < 1

    assert miniature.build(recipe, *folders[2:]) == facts
    for path in sorted(p for p in folders[0].rglob("*") if p.is_file()):
        assert path.read_bytes() == (folders[2] / path.relative_to(folders[0])).read_bytes(), path.name


@pytest.mark.assets
def test_committed_classifier_knows_sentiment():
    """The ceiling's model on texts that it has not seen: far above chance, and MiniLM's own embeddings inside."""
    from safetensors.numpy import load_file

    try:
        folder = offline.fetch("minilm-l6")
    except AssetError as error:
        pytest.skip(str(error))
    model, tokenizer = classifier.load()
    own = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert np.array_equal(files.table_of(model, tokenizer)[0], own)
    assert own.shape[0] == 30522
    shown = classifier.texts_and_classes(classifier.Training())[0].sample(300, random_state=0)
    classes = evaluation.classify(model, evaluation.tokenise(tokenizer, shown["text"].tolist()))
    assert files.metrics(classes, shown["class"].to_numpy())["accuracy"] > 0.7
