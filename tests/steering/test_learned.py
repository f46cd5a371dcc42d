"""Learnt vectors on tiny models of three families."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.steering.generation import Writer, perplexity
from neoai_utils.steering.hooks import adding, steered
from neoai_utils.steering.learned import learn


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
