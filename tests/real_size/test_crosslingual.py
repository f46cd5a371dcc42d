"""Task 8: XLM-R base, 278 million weights: one update on two sentences, predictions, one step of pretraining."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.real_size import FILES, MODELS, ROWS
from neoai_utils.crosslingual import files
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import load_encoder
from neoai_utils.crosslingual.masked_language import can_continue_pretraining, continue_pretraining
from neoai_utils.crosslingual.planning import planned
from neoai_utils.crosslingual.prediction import labelled, predict
from neoai_utils.crosslingual.training import UtteranceSource, fine_tune

GIGABYTES = 8


@pytest.fixture(scope="module")
def given(data: Path) -> files.Intents:
    FILES["task8"](data, 0.001)
    return files.read(data)


@pytest.fixture(scope="module")
def loaded(folder: Path, room: None) -> Iterator[tuple[Any, Any]]:
    """Give the encoder and its tokenizer."""
    made = MODELS["task8"](folder / "models")
    yield load_encoder(str(made["encoder_id"]))


def changed(before: Any, after: Any) -> float:
    """Return the share of the tensors that differ."""
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    return float(np.mean([not torch.equal(old, new) for old, new in pairs]))


def finite(model: Any) -> bool:
    return all(bool(values.isfinite().all()) for values in model.parameters())


def test_one_update_and_predictions(given: files.Intents, loaded: tuple[Any, Any]) -> None:
    encoder, tokenizer = loaded
    count = sum(values.numel() for values in encoder.parameters())
    assert encoder.get_input_embeddings().weight.shape == (250_002, 768)
    assert count / 1e6 == pytest.approx(277.5, abs=0.5)
    assert 16 * count < 5e9, "weights, gradients and AdamW's moments"
    collate = Collator(tokenizer, given.labels)
    plan = planned(ROWS["task8"]["train"], encoder)
    assert (plan.batch, plan.learning_rate) == (64, 5e-5)
    source = UtteranceSource(given.train[:2])
    trained = fine_tune(encoder, collate, [source], replace(plan, steps=1, batch=2), seed=23)
    assert changed(encoder, trained.encoder) > 0.95
    assert finite(trained)

    test = given.test[:2]
    predictions = predict(trained, collate, test)
    assert (predictions.intents.shape, predictions.intents.dtype) == ((2, len(given.labels.intents)), np.float32)
    assert np.allclose(predictions.intents.sum(1), 1, atol=1e-5)
    for words, utterance in zip(predictions.slots, test, strict=True):
        assert words.shape == (len(utterance.words), len(given.labels.tags))
        assert np.allclose(words.sum(1), 1, atol=1e-5)
    found = labelled(test, predictions, given.labels)
    assert len(files.submission([u.intent for u in found], [u.slots for u in found])) == 2


def test_one_step_of_pretraining(given: files.Intents, loaded: tuple[Any, Any]) -> None:
    encoder, tokenizer = loaded
    assert can_continue_pretraining(encoder, tokenizer)
    texts = [given.texts[0], given.pairs[0]]
    pretrained, losses = continue_pretraining(encoder, tokenizer, texts, 1, 23, learning_rate=2.5e-5)
    assert losses == [pytest.approx(math.log(250_002), rel=0.1)], "no token is more probable than others yet"
    assert changed(encoder, pretrained) > 0.95
    assert finite(pretrained)
