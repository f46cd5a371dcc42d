"""Detectors and their files: plain references, and damaged files refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sklearn.metrics import roc_auc_score
from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

from neoai_utils.errors import DataError
from neoai_utils.steering import detector
from neoai_utils.steering.detector import Classifier, Probe, load_classifier
from neoai_utils.steering.encoder import Encoder


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
    classifier = load_classifier(str(tmp_path))
    texts = sentences(11)
    scores = classifier.score(texts)
    assert isinstance(classifier, Classifier)
    with torch.inference_mode():
        plain = [float(classifier.model(torch.tensor([classifier.tokenizer.encode(t)])).logits[0, 0]) for t in texts]
    assert np.allclose(scores, plain, atol=1e-4)
    assert len(set(scores)) > 5


def test_bad_probes_are_named(tmp_path, encoder):
    path = tmp_path / "probe.safetensors"
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    path.write_bytes(b"rubbish")
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    save_file({"weight": torch.zeros(5)}, path)
    with pytest.raises(DataError, match="is no probe"):
        Probe.load(encoder, path)
    save_file({"weight": torch.zeros(5), "bias": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="shape"):
        Probe.load(encoder, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "missing or has no numbers"),
        ("{", "missing or has no numbers"),
        ('{"low": 1}', "missing or has no numbers"),
        ('{"low": "x", "high": 2}', "missing or has no numbers"),
        ("[1, 2]", "missing or has no numbers"),
        ('{"low": 2, "high": 2}', "must be below high"),
        ('{"low": NaN, "high": 2}', "must be below high"),
    ],
)
def test_bad_windows_are_named(tmp_path, content, message):
    if content is not None:
        (tmp_path / "window.json").write_text(content)
    with pytest.raises(DataError, match=message):
        detector.read_window(tmp_path / "window.json")
