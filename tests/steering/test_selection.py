"""Selection of latents: planted truths and slow plain references."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from neoai_utils.steering import selection
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import steered


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Features in which latent 3 tells the labels apart, 7 nearly (more in machines), 11 a little."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 100)
    features = rng.gamma(1.0, 1.0, (200, 20))
    features[:, 3] += 6 * labels
    features[:, 7] += 2.5 * (1 - labels)
    features[:, 11] += 0.8 * labels
    return features, labels


def test_every_selection_finds_planted_latents(planted) -> None:
    features, labels = planted
    assert selection.by_auc(features, labels, 3).tolist() == [3, 7, 11]
    assert set(selection.by_l1(features, labels, 2)) == {3, 7}
    assert 3 in selection.by_gain(features, labels)


@pytest.mark.parametrize("version", [None, "1.5.0", "1.6.1"])
def test_l1_keeps_few_weights_and_is_the_optimum(planted, monkeypatch, version) -> None:
    """With an L2 penalty, or none, no weight would be 0. Older versions of scikit-learn are told in their own words."""
    features, labels = planted
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    strength = 0.03
    if version is not None:
        monkeypatch.setattr("sklearn.__version__", version)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if version is None else "ignore")
        weights = selection._l1_weights(scaled, labels, strength)
    assert np.flatnonzero(weights).tolist() == [3]
    signs = 2 * labels - 1
    margin = signs * (scaled @ weights)  # as liblinear: its intercept is penalised too, and 0 for balanced labels
    slope = -strength * (signs / (1 + np.exp(margin))) @ scaled
    assert np.abs(slope[3] + np.sign(weights[3])) < 0.02
    assert np.abs(np.delete(slope, 3)).max() < 1


def test_l1_keeps_one_of_two_redundant_latents(planted) -> None:
    features, labels = planted
    features[:, 12] = features[:, 3]
    spread = (features - features.mean(axis=0)) / features.std(axis=0)
    assert np.count_nonzero(selection._l1_weights(spread, labels, 0.03)[[3, 12]]) == 1


def test_the_gain_goes_to_one_latent_if_one_is_enough() -> None:
    """Why the published selection is fragile: of two equally good latents the trees never look at the second."""
    rng = np.random.default_rng(0)
    labels = np.repeat([1, 0], 100)
    features = rng.random((200, 10))
    features[:, 2] = features[:, 5] = labels + 0.1 * rng.random(200)
    selected = selection.by_gain(features, labels)
    assert 2 in selected
    assert 5 not in selected
    assert set(selection.by_auc(features, labels, 2)) == {2, 5}


def test_auc_is_the_plain_one(planted) -> None:
    features, labels = planted
    features = features.round(1)  # with ties
    plain = [roc_auc_score(labels, column) for column in features.T]
    assert np.allclose(selection.roc_auc(features, labels), plain)
    assert np.allclose(selection.roc_auc(np.zeros((200, 2)), labels), 0.5)


def test_strongest_counts_both_signs_and_keeps_order() -> None:
    assert selection.strongest(np.array([0.1, -3.0, 2.0, 2.0, 0.0]), 3).tolist() == [1, 2, 3]


def test_output_score_rewards_rows_that_promote_their_words(llama: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_PROMOTED", 1)
    head = llama.model.get_output_embeddings().weight
    rows = torch.stack([head[10], head[20], torch.randn(24, generator=torch.Generator().manual_seed(0))])
    rises, _ = selection.effects(llama, ["w1 w2", "w3 w4 w5"], 2, rows, strength=8.0)
    assert rises[0] > 0.003
    assert rises[1] > 0.003
    nothing = selection.effects(llama, ["w1 w2", "w3 w4 w5"], 2, rows, strength=0.0)
    assert np.allclose(nothing, 0, atol=1e-7)


def test_the_change_of_confidence_is_that_of_the_most_probable_words(llama: Writer, monkeypatch) -> None:
    """Against a plain computation, one prompt at a time, with the row added by hand."""
    monkeypatch.setattr(selection, "_PROMOTED", 3)
    prompts, row = ["w1 w2", "w3 w4 w5"], torch.randn(24, generator=torch.Generator().manual_seed(1))
    changes = []
    for prompt in prompts:
        ids = llama.tokenizer(prompt, return_tensors="pt").input_ids
        logs = []
        for step in (0.0, 8.0):
            change = {2: lambda hidden, step=step: hidden + step * row / row.norm()}
            with torch.inference_mode(), steered(llama.model, change):
                logits = llama.model(ids).logits[0, -1].double()
            logs.append(logits.log_softmax(-1).sort(descending=True).values[:3].mean())
        changes.append(abs(float(logs[1] - logs[0])))
    _, found = selection.effects(llama, prompts, 2, row[None], strength=8.0)
    assert found[0] == pytest.approx(np.mean(changes), rel=1e-3)
    assert found[0] > 1e-4
