"""The committed classifier and its recipe."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils import offline, storage
from neoai_utils.embeddings import evaluation, metric, models
from neoai_utils.embeddings.miniature import classifier, sentences
from neoai_utils.errors import AssetError
from neoai_utils.weights import Store, recipe_checksum


def test_shown_texts_never_train_the_classifier():
    recipe = classifier.ClassifierRecipe()
    shown, rest = classifier.texts_and_classes(recipe)
    assert len(shown) == sum(count for _, count in recipe.shown) == 4999
    assert not set(shown["text"]) & set(rest["text"])
    assert len(shown) + len(rest) == len(sentences.load())
    share = np.bincount(shown["class"]) / len(shown)
    assert share.min() > 0.25  # no class is rare
    assert (shown["class"] == 2).equals(shown["rating"] < recipe.negative_below)
    assert (shown["class"] == 1).equals(shown["rating"] > recipe.positive_above)


def test_committed_classifier_belongs_to_its_manifest():
    manifest, path = classifier.STORE.manifest(), classifier.STORE.path("classifier")
    assert manifest["recipe_checksum"] == recipe_checksum(classifier.ClassifierRecipe())
    assert manifest["sha256"] == {"classifier": storage.sha256_of(path)}
    assert manifest["sentences_sha256"] == storage.sha256_of(sentences.FILE)
    assert manifest["loss_last_50"] < manifest["loss_first_50"]
    assert path.stat().st_size < 8_000_000


def test_recipe_trains_low_rank_updates_only(tiny_model, tmp_path, monkeypatch):
    """A few steps on a tiny BERT: the loss falls, the embeddings stay, and what is saved is loaded again."""
    import torch

    recipe = classifier.ClassifierRecipe(rank=4, epochs=60, batch_size=8, learning_rate=0.03)
    model, tokenizer = models.load(tiny_model)
    texts, labels = ["walk jump", "cook cook", "hunter rest"] * 16, [0, 1, 2] * 16
    frozen = {k: v.clone() for k, v in model.state_dict().items()}
    torch.manual_seed(0)
    losses = classifier.fine_tune(model, tokenizer, texts, labels, recipe, steps=150)
    assert len(losses) == 150
    assert np.mean(losses[-10:]) < 0.6 * np.mean(losses[:10])
    store = Store(tmp_path, "tiny.json")
    classifier.save(model, recipe, losses, store)
    assert not [name for name in store.load("classifier") if "embeddings" in name or "LayerNorm" in name]
    assert store.manifest()["steps"] == 150

    fresh, _ = models.load(tiny_model)
    fresh.load_state_dict(frozen)
    monkeypatch.setattr(classifier, "_untrained", lambda: (fresh, tokenizer))
    loaded, _ = classifier.load(store)
    inputs = tokenizer(texts[:3], return_tensors="pt", padding=True)
    with torch.no_grad():
        assert loaded(**inputs).logits.numpy() == pytest.approx(model(**inputs).logits.numpy(), abs=0.05)

    path = store.path("classifier")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(AssetError, match="damaged"):
        classifier.load(store)


@pytest.mark.assets
def test_committed_classifier_predicts_sentiment():
    """The ceiling's model on texts that it has not seen: far above chance, and MiniLM's embeddings unchanged."""
    from safetensors.numpy import load_file

    try:
        folder = offline.fetch("minilm-l6")
    except AssetError as error:
        pytest.skip(str(error))
    model, tokenizer = classifier.load()
    original = load_file(folder / "model.safetensors")["embeddings.word_embeddings.weight"]
    assert np.array_equal(models.embedding_table(model, tokenizer)[0], original)
    assert original.shape[0] == 30522
    shown = classifier.texts_and_classes(classifier.ClassifierRecipe())[0].sample(300, random_state=0)
    predictions = evaluation.predict(model, evaluation.tokenize(tokenizer, shown["text"].tolist()))
    assert metric.grade(predictions, shown["class"].to_numpy()).score > 0.7
