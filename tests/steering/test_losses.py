"""The cross-entropy of tokens and the perplexity on tiny models of three families, against slow plain references."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.steering import memory
from neoai_utils.steering.generation import Writer, encode
from neoai_utils.steering.hooks import adding, steered
from neoai_utils.steering.losses import continuation_mask, perplexity, text_bytes, token_losses
from tests.steering.conftest import logits, peak_bytes, wide_vocabulary


@pytest.mark.parametrize("batch", [1, 3, 50])
def test_perplexity_is_that_of_the_continuations(writer: Writer, sentences, batch: int) -> None:
    prompts, rests = sentences(9), sentences(9, 1)
    texts = [f"{prompt} {rest}" for prompt, rest in zip(prompts, rests, strict=True)]
    surprise = []
    for prompt, text in zip(prompts, texts, strict=True):
        ids, start = writer.tokenizer.encode(text), len(writer.tokenizer.encode(prompt))
        chances = logits(writer, text)[0].log_softmax(-1)
        surprise += [-float(chances[i - 1, ids[i]]) for i in range(start, len(ids))]
    assert perplexity(writer, prompts, texts, batch) == pytest.approx(np.exp(np.mean(surprise)), rel=1e-4)


def test_perplexity_needs_a_continuation(llama: Writer) -> None:
    with pytest.raises(ValueError, match="no text continues after its prompt"):
        perplexity(llama, ["w1 w2"], ["w1 w2"])


def test_parts_of_a_batch_give_the_perplexity_of_the_whole(writer: Writer, sentences, monkeypatch) -> None:
    prompts = sentences(9)
    texts = [f"{prompt} {rest}" for prompt, rest in zip(prompts, sentences(9, 1), strict=True)]
    whole = perplexity(writer, prompts, texts)
    for budget in (1, 100_000):
        monkeypatch.setattr(memory, "BUDGET", budget)
        assert perplexity(writer, prompts, texts) == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("trained", [False, True])
def test_the_counted_bytes_stay_below_the_arithmetic(trained: bool) -> None:
    """Every tensor that is alive is counted, in a network whose vocabulary is wide, as Gemma's is."""
    writer = wide_vocabulary()
    ids, mask = encode(writer, ["w1 w2 w3 w4 w5 w6 w7 w8"] * 6, side="right")

    def work() -> None:
        step = torch.zeros(24, requires_grad=trained)
        with steered(writer.model, {1: lambda hidden: hidden + step.to(hidden)}), torch.set_grad_enabled(trained):
            loss = token_losses(writer, ids, mask, 2).sum()
            if trained:
                loss.backward()

    expected = len(ids) * text_bytes(writer.model, ids.shape[1], 2, trained_blocks=2 * trained)
    assert 0.4 * expected < peak_bytes(work, writer.model) < expected


def test_a_text_that_is_cut_before_its_prompt_ends_has_no_loss(llama: Writer) -> None:
    prompts = ["w1 w2 w3 w4", "w1 w2 w3 w4 w5"]
    ids, mask = encode(llama, [prompt + " w6" for prompt in prompts], side="right", max_length=4)
    continued, first = continuation_mask(llama, prompts, mask)
    assert not continued.any()
    assert token_losses(llama, ids, mask, first).shape == (2, 1)


def test_a_perplexity_that_is_no_number_is_refused(llama: Writer) -> None:
    hurt = {1: adding(torch.full((24,), float("nan")))}
    with steered(llama.model, hurt), pytest.raises(NotANumberError, match="perplexity"):
        perplexity(llama, ["w1"], ["w1 w2 w3"])
