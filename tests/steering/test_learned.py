"""Learnt vectors on tiny models of three families."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.steering import learned, memory
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import adding, steered
from neoai_utils.steering.learned import learn
from neoai_utils.steering.losses import perplexity


def test_learnt_vectors_make_the_texts_likelier(writer: Writer) -> None:
    prompts = ["w1 w2", "w3 w4 w5"] * 8
    texts = [f"{prompt} w7 w8 w7 w8" for prompt in prompts]
    state = {name: value.clone() for name, value in writer.model.state_dict().items()}
    vectors, losses = learn(writer, prompts, texts, (1, 2), steps=30, learning_rate=0.3, batch=8)
    assert losses[-1] < losses[0] - 0.1
    before = perplexity(writer, prompts, texts)
    with steered(writer.model, {layer: adding(vector) for layer, vector in vectors.items()}):
        assert perplexity(writer, prompts, texts) < before
    assert all(torch.equal(value, state[name]) for name, value in writer.model.state_dict().items())


def test_the_first_loss_is_the_unsteered_surprise(llama: Writer, sentences) -> None:
    prompts = sentences(6)
    texts = [f"{prompt} {rest}" for prompt, rest in zip(prompts, sentences(6, 1), strict=True)]
    _, losses = learn(llama, prompts, texts, (0,), steps=1, learning_rate=0.1, batch=6)
    assert np.exp(losses[0]) == pytest.approx(perplexity(llama, prompts, texts), rel=1e-4)


def test_parts_of_a_batch_teach_what_the_whole_teaches(writer: Writer, sentences, monkeypatch) -> None:
    """Texts of unequal length: the mean is over all tokens, not over the means of the parts."""
    prompts = sentences(8)
    texts = [f"{prompt} {rest}" for prompt, rest in zip(prompts, sentences(8, 1), strict=True)]
    setting = {"steps": 4, "learning_rate": 0.1, "batch": 8}
    vectors, losses = learn(writer, prompts, texts, (1, 2), **setting)
    monkeypatch.setattr(memory, "BUDGET", 1)
    again, again_losses = learn(writer, prompts, texts, (1, 2), **setting)
    assert again_losses == pytest.approx(losses, rel=1e-4)
    assert all(torch.allclose(again[layer], vectors[layer], atol=1e-3) for layer in vectors)


def test_long_texts_are_cut(llama: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "_MAX_LENGTH", 5)
    setting = {"steps": 1, "learning_rate": 0.1, "batch": 2}
    _, cut = learn(llama, ["w1"] * 2, ["w1 w2 w3 w4 w5 w6 w7"] * 2, (1,), **setting)
    _, short = learn(llama, ["w1"] * 2, ["w1 w2 w3 w4"] * 2, (1,), **setting)
    assert cut == pytest.approx(short)


def test_a_loss_that_is_no_number_is_refused(llama: Writer) -> None:
    with steered(llama.model, {0: adding(torch.full((24,), float("nan")))}), pytest.raises(NotANumberError):
        learn(llama, ["w1"], ["w1 w2"], (1,), steps=1, learning_rate=0.1, batch=1)
