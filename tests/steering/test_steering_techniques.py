"""Selection of latents, vectors, clamping, detectors: planted truths and slow plain references."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from neoai_utils.steering import selection, vectors
from neoai_utils.steering.detector import Classifier, Encoder, Probe, load_classifier, similarity
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import adding, steered
from neoai_utils.steering.miniature.autoencoder import Training, explained, train


@pytest.fixture(scope="session")
def sae():
    """An SAE of 48 latents on states that are sums of few out of 32 directions."""
    return train(states(), Training(latents=48, active=4, steps=80, batch=256, rate=5e-3), 1)


def states(count: int = 2048, width: int = 24, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    directions = torch.randn(32, width, generator=torch.Generator().manual_seed(9))
    used = torch.rand(count, 32, generator=random) * (torch.rand(count, 32, generator=random) < 0.1)
    return used @ directions


@pytest.fixture
def planted() -> tuple[np.ndarray, np.ndarray]:
    """Features in which latent 3 tells the kinds apart, 7 nearly (more in machines), 11 a little."""
    random = np.random.default_rng(0)
    kinds = np.repeat([1, 0], 100)
    features = random.gamma(1.0, 1.0, (200, 20))
    features[:, 3] += 6 * kinds
    features[:, 7] += 2.5 * (1 - kinds)
    features[:, 11] += 0.8 * kinds
    return features, kinds


# --------------------------------------------------------------------------------------------------------- selection


def test_every_selection_finds_planted_latents(planted) -> None:
    features, kinds = planted
    assert selection.by_auc(features, kinds, 3).tolist() == [3, 7, 11]
    assert set(selection.by_l1(features, kinds, 2)) == {3, 7}
    assert 3 in selection.by_gain(features, kinds)


@pytest.mark.parametrize("version", [None, "1.5.0", "1.6.1"])
def test_l1_keeps_few_weights_and_is_the_optimum(planted, monkeypatch, version) -> None:
    """With an L2 penalty, or none, no weight would be 0. Older versions of scikit-learn are told in their own words."""
    features, kinds = planted
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    strength = 0.03
    if version is not None:
        monkeypatch.setattr("sklearn.__version__", version)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if version is None else "ignore")
        weights = selection._l1_weights(scaled, kinds, strength)
    assert np.flatnonzero(weights).tolist() == [3]
    signs = 2 * kinds - 1
    margin = signs * (scaled @ weights)  # as liblinear: its intercept is penalised too, and 0 for balanced kinds
    slope = -strength * (signs / (1 + np.exp(margin))) @ scaled
    assert np.abs(slope[3] + np.sign(weights[3])) < 0.02
    assert np.abs(np.delete(slope, 3)).max() < 1


def test_l1_keeps_one_of_two_latents_that_say_the_same(planted) -> None:
    features, kinds = planted
    features[:, 12] = features[:, 3]
    spread = (features - features.mean(axis=0)) / features.std(axis=0)
    assert np.count_nonzero(selection._l1_weights(spread, kinds, 0.03)[[3, 12]]) == 1


def test_the_gain_goes_to_one_latent_if_one_is_enough() -> None:
    """Why the published selection is fragile: of two equally good latents the trees never look at the second."""
    random = np.random.default_rng(0)
    kinds = np.repeat([1, 0], 100)
    features = random.random((200, 10))
    features[:, 2] = features[:, 5] = kinds + 0.1 * random.random(200)
    chosen = selection.by_gain(features, kinds)
    assert 2 in chosen
    assert 5 not in chosen
    assert set(selection.by_auc(features, kinds, 2)) == {2, 5}


def test_auc_is_the_plain_one(planted) -> None:
    features, kinds = planted
    features = features.round(1)  # with ties
    plain = [roc_auc_score(kinds, column) for column in features.T]
    assert np.allclose(selection.roc_auc(features, kinds), plain)
    assert np.allclose(selection.roc_auc(np.zeros((200, 2)), kinds), 0.5)


def test_strongest_counts_both_signs_and_keeps_order() -> None:
    assert selection.strongest(np.array([0.1, -3.0, 2.0, 2.0, 0.0]), 3).tolist() == [1, 2, 3]


def test_output_score_rewards_rows_that_promote_their_words(llama: Writer) -> None:
    head = llama.model.get_output_embeddings().weight
    rows = torch.stack([head[10], head[20], torch.randn(24, generator=torch.Generator().manual_seed(0))])
    found = selection.by_output(llama, ["w1 w2", "w3 w4 w5"], 2, rows, strength=8.0, top=1)
    assert found[0] > 0.003
    assert found[1] > 0.003
    nothing = selection.by_output(llama, ["w1 w2", "w3 w4 w5"], 2, rows, strength=0.0, top=1)
    assert np.allclose(nothing, 0, atol=1e-7)


# ----------------------------------------------------------------------------------------------------------- vectors


def test_difference_points_to_humans() -> None:
    human, machine = np.full((4, 3), 2.0), np.array([[1.0, 2.0, 5.0]] * 2)
    assert vectors.difference(human, machine).tolist() == [1, 0, -3]


def test_latents_add_up_with_their_deltas() -> None:
    rows, delta = torch.eye(5)[:, :4], torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert vectors.from_latents(rows, delta, [1, 3]).tolist() == [0, 2, 0, 4]


def test_a_rebuilt_vector_keeps_its_length_and_drops_the_rest() -> None:
    rows = torch.tensor([[1.0, 0, 0], [1.0, 1.0, 0], [0, 0, 1.0]])
    found = vectors.rebuilt(torch.tensor([3.0, 4.0, 12.0]), rows, [0, 1])
    assert found.tolist() == pytest.approx([13 * 0.6, 13 * 0.8, 0])
    whole = torch.tensor([3.0, 4.0, 12.0])
    assert torch.allclose(vectors.rebuilt(whole, rows, [0, 1, 2]), whole, atol=1e-5)


# ------------------------------------------------------------------------------------------------------ autoencoders


def test_an_autoencoder_learns_and_survives_the_file(sae, tmp_path) -> None:
    from sae_lens import SAE

    held_out = states(seed=1)
    assert explained(sae, held_out) > 0.6
    assert (sae.encode(held_out) > 0).sum(1).float().mean() <= 4
    assert sae.cfg.metadata.hook_name == "blocks.1.hook_resid_post"
    sae.save_model(tmp_path)
    back = SAE.load_from_disk(tmp_path, device="cpu")
    assert torch.equal(back.encode(held_out), sae.encode(held_out))
    assert torch.equal(back.decode(back.encode(held_out)), sae.decode(sae.encode(held_out)))


def test_encode_and_decode_are_the_plain_formulas(sae) -> None:
    x = states(64, seed=2)
    before = torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc)
    kept = torch.zeros_like(before).scatter(1, before.topk(4).indices, before.topk(4).values)
    assert torch.allclose(sae.encode(x), kept, atol=1e-4)
    assert torch.allclose(sae.decode(kept), kept @ sae.W_dec + sae.b_dec, atol=1e-4)


def test_clamping_sets_latents_and_keeps_the_error(sae) -> None:
    hidden = states(5, seed=3).view(1, 5, 24)
    found = sae.encode(hidden)
    strong = int(found.sum((0, 1)).argmax())
    changed = vectors.clamping(sae, {strong: 0.0, 5: 2.0})(hidden)
    wanted = found.clone()
    wanted[..., strong], wanted[..., 5] = 0.0, 2.0
    error = hidden - sae.decode(found)
    assert torch.allclose(changed, sae.decode(wanted) + error, atol=1e-4)


def test_clamping_to_what_is_there_changes_nothing(sae) -> None:
    hidden = states(1, seed=4).view(1, 1, 24)
    found = sae.encode(hidden)[0, 0]
    same = vectors.clamping(sae, {i: float(found[i].detach()) for i in range(48)})(hidden)
    assert torch.allclose(same, hidden, atol=1e-5)


def test_clamping_steers_a_model(sae, writer: Writer) -> None:
    ids = torch.tensor([[1, 5, 6, 7]])
    with torch.inference_mode():
        before = writer.model(ids).logits
        with steered(writer.model, {1: vectors.clamping(sae, {0: 9.0, 1: 9.0})}):
            within = writer.model(ids).logits
    assert (within - before).abs().max() > 1e-3


# --------------------------------------------------------------------------------------------------------- detectors


def test_a_probe_learns_and_survives_the_file(encoder: Encoder, sentences, tmp_path) -> None:
    human, machine = [f"w1 w2 {text}" for text in sentences(60)], [f"w3 w4 {text}" for text in sentences(60, 1)]
    probe = Probe.fit(encoder, human[:40], machine[:40], 0.1)
    scores = probe.score(human[40:] + machine[40:])
    assert roc_auc_score(np.repeat([0, 1], 20), scores) > 0.9
    probe.save(tmp_path / "probe.safetensors")
    assert np.allclose(Probe.load(encoder, tmp_path / "probe.safetensors").score(human), probe.score(human), atol=1e-5)


def test_a_probe_is_the_plain_regression(encoder: Encoder, sentences) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    texts, kinds = sentences(40), np.repeat([0, 1], 20)
    x = np.stack([plain_levels(encoder, text) for text in texts])
    plain = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)).fit(x, kinds)
    found = Probe.fit(encoder, texts[:20], texts[20:], 0.1).score(texts)
    assert np.allclose(found, plain.decision_function(x), atol=1e-2)


def plain_levels(encoder: Encoder, text: str) -> np.ndarray:
    with torch.inference_mode():
        found = encoder.model(torch.tensor([encoder.tokenizer.encode(text)]), output_hidden_states=True).hidden_states
    return torch.cat([found[i][0].mean(0) for i in (0, 2, 4)]).double().numpy()


def test_similarity_is_the_plain_cosine(encoder: Encoder, sentences) -> None:
    first, second = sentences(8), sentences(8, 1)
    rows = []
    for one, other in zip(first, second, strict=True):
        with torch.inference_mode():
            a, b = (
                encoder.model(torch.tensor([encoder.tokenizer.encode(t)])).last_hidden_state[0].mean(0)
                for t in (one, other)
            )
        rows.append(float(torch.cosine_similarity(a, b, dim=0)))
    assert np.allclose(similarity(encoder, first, second), rows, atol=1e-5)
    assert np.allclose(similarity(encoder, first, first), 1, atol=1e-5)


def test_the_competitions_class_of_detector(sentences, words, tmp_path) -> None:
    """A tiny DeBERTa-v2 reward model, saved and loaded by name as ReMoDetect is; padding must not matter."""
    torch.manual_seed(0)
    config = DebertaV2Config(
        vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=1,
        max_position_embeddings=512, relative_attention=True, position_buckets=16, pos_att_type=["p2c", "c2p"],
        pad_token_id=0,
    )  # fmt: skip
    DebertaV2ForSequenceClassification(config).eval().save_pretrained(tmp_path)
    words.save_pretrained(tmp_path)
    detector = load_classifier(str(tmp_path))
    texts = sentences(11)
    scores = detector.score(texts)
    assert isinstance(detector, Classifier)
    with torch.inference_mode():
        plain = [float(detector.model(torch.tensor([detector.tokenizer.encode(t)])).logits[0, 0]) for t in texts]
    assert np.allclose(scores, plain, atol=1e-4)
    assert len(set(scores)) > 5


def test_steering_two_blocks_is_more_than_one(llama: Writer) -> None:
    ids, vector = torch.tensor([[1, 5, 6]]), torch.ones(24)
    with torch.inference_mode():
        before = llama.model(ids).logits
        found = []
        for layers in ((0,), (1,), (0, 1)):
            with steered(llama.model, dict.fromkeys(layers, adding(vector, 0.3))):
                found.append(llama.model(ids).logits - before)
    assert not torch.allclose(found[2], found[0], atol=1e-4)
    assert not torch.allclose(found[2], found[1], atol=1e-4)
