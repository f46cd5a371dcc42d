"""Averages of hidden states on tiny models of three families, against slow plain references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.steering import features, memory
from neoai_utils.steering.features import pooled
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import adding, blocks, steered


@pytest.mark.parametrize("batch", [1, 4, 32])
def test_pooled_states_are_the_plain_means(writer: Writer, sentences, batch: int) -> None:
    texts = sentences(10)
    matrix = torch.randn(24, 5, generator=torch.Generator().manual_seed(3))
    reader = lambda hidden: torch.relu(hidden @ matrix)  # noqa: E731
    found = pooled(writer, texts, {0: None, 1: reader}, batch=batch)
    for i, text in enumerate(texts):
        with torch.inference_mode():
            states = writer.model(
                torch.tensor([writer.tokenizer.encode(text)]), output_hidden_states=True
            ).hidden_states
        assert np.allclose(found[0][i], states[1][0, 1:].mean(0), atol=1e-5)
        assert np.allclose(found[1][i], reader(states[2][0, 1:]).mean(0), atol=1e-5)


def test_pooling_stops_after_the_last_block_it_needs(writer: Writer, sentences) -> None:
    hooks = [len(block._forward_hooks) for block in blocks(writer.model)]  # transformers keeps some of its own
    with steered(writer.model, {2: lambda hidden: pytest.fail("the last block ran")}):
        found = pooled(writer, sentences(3), {1: None})
    assert found[1].shape == (3, 24)
    assert [len(block._forward_hooks) for block in blocks(writer.model)] == hooks


def test_pooling_reads_the_first_tokens_of_a_long_text(llama: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_MAX_LENGTH", 5)
    long = " ".join(["w1", "w2", "w3", "w4"] * 5)
    assert np.allclose(pooled(llama, [long], {1: None})[1], pooled(llama, ["w1 w2 w3 w4"], {1: None})[1], atol=1e-6)


def test_pooling_refuses_a_text_of_one_token(llama: Writer) -> None:
    with pytest.raises(ValueError, match="text of one token"):
        pooled(replace(llama, add_special_tokens=False), ["w1 w2", "w1"], {1: None})


def test_a_small_budget_gives_the_means_of_the_whole_batch(writer: Writer, sentences, monkeypatch) -> None:
    texts, pieces = sentences(10), []
    matrix = torch.randn(24, 5, generator=torch.Generator().manual_seed(3))

    def reader(hidden: torch.Tensor) -> torch.Tensor:
        pieces.append(hidden.shape[0] * hidden.shape[1])
        return torch.relu(hidden @ matrix)

    whole = pooled(writer, texts, {0: None, 1: reader})
    for name, value, most in ((memory, "BUDGET", 30), (features, "_POSITIONS", 30)):
        pieces.clear()
        with monkeypatch.context() as patched:
            patched.setattr(name, value, most)
            found = pooled(writer, texts, {0: None, 1: reader})
        assert max(pieces) <= 30
        assert all(np.allclose(found[layer], whole[layer], atol=1e-5) for layer in whole)


def test_means_that_are_no_numbers_are_refused(llama: Writer) -> None:
    with (
        steered(llama.model, {0: adding(torch.full((24,), float("nan")))}),
        pytest.raises(NotANumberError, match="block 1"),
    ):
        pooled(llama, ["w1 w2"], {1: None})
