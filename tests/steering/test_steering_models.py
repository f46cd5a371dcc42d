"""Hooks, generation, perplexity and pooling on tiny models of three families, against slow plain references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.errors import NotANumberError, ParameterError
from neoai_utils.steering.features import pooled
from neoai_utils.steering.generation import Sampling, Writer, encode, generate, perplexity, uniform
from neoai_utils.steering.hooks import adding, blocks, steered
from neoai_utils.steering.learned import learn

SAMPLING = Sampling(new_tokens=9, temperature=1.0, seed=3, batch=4)


def logits(writer: Writer, text: str) -> torch.Tensor:
    ids = torch.tensor([writer.tokenizer.encode(text)])
    with torch.inference_mode():
        return writer.model(ids).logits


# ------------------------------------------------------------------------------------------------------------- hooks


@pytest.mark.parametrize("layers", [(0,), (1,), (2,), (0, 2)])
def test_a_hook_changes_the_logits_and_leaves_no_trace(writer: Writer, layers: tuple[int, ...]) -> None:
    before = logits(writer, "w1 w2 w3")
    vector = torch.randn(24, generator=torch.Generator().manual_seed(1))
    with steered(writer.model, dict.fromkeys(layers, adding(vector))):
        within = logits(writer, "w1 w2 w3")
    assert (within - before).abs().max() > 1e-3
    assert torch.equal(logits(writer, "w1 w2 w3"), before)


def test_the_hidden_state_moves_by_exactly_the_vector(writer: Writer) -> None:
    seen: list[torch.Tensor] = []
    vector = torch.arange(24.0)
    look = lambda hidden: seen.append(hidden) or hidden  # noqa: E731
    for change in (adding(vector, 0.0), adding(vector, -2.0)):
        with torch.inference_mode(), steered(writer.model, {1: change}), steered(writer.model, {1: look}):
            writer.model(torch.tensor([[1, 5, 6]]))
    assert torch.allclose(seen[1] - seen[0], (-2 * vector).expand(1, 3, 24), atol=1e-5)


def test_blocks_that_return_tuples_are_steered_too(llama: Writer) -> None:
    class Tupled(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *given, **named):
            return (self.inner(*given, **named), "attention weights")

    inner = Tupled(torch.nn.Identity())
    holder = torch.nn.Module()
    holder.model = torch.nn.Module()
    holder.model.layers = torch.nn.ModuleList([inner])
    with steered(holder, {0: adding(torch.ones(3))}):
        hidden, rest = inner(torch.zeros(1, 2, 3))
    assert torch.equal(hidden, torch.ones(1, 2, 3))
    assert rest == "attention weights"


def test_hooks_are_removed_after_an_error(writer: Writer) -> None:
    before = logits(writer, "w1 w2")
    with pytest.raises(RuntimeError):
        with steered(writer.model, {0: adding(torch.ones(7))}):
            logits(writer, "w1 w2")
    assert torch.equal(logits(writer, "w1 w2"), before)


def test_absent_blocks_are_named(writer: Writer) -> None:
    hooks = [len(block._forward_hooks) for block in blocks(writer.model)]
    with pytest.raises(ParameterError, match="no block 3: this model has the blocks 0 to 2"):
        with steered(writer.model, {0: adding(torch.ones(24)), 3: adding(torch.ones(24))}):
            pass
    assert [len(block._forward_hooks) for block in blocks(writer.model)] == hooks


def test_models_with_blocks_elsewhere_are_refused() -> None:
    with pytest.raises(ParameterError, match="Linear keeps its blocks in none of"):
        blocks(torch.nn.Linear(2, 2))


# -------------------------------------------------------------------------------------------------------- generation


def plain(writer: Writer, prompt: str, sampling: Sampling) -> str:
    """Write one text token by token, without padding and without a cache."""
    ids = writer.tokenizer.encode(prompt)
    start = len(ids)
    for number in uniform(prompt, sampling.new_tokens, sampling.seed).astype(np.float32):
        with torch.inference_mode():
            last = writer.model(torch.tensor([ids])).logits[0, -1].float()
        chances = (last / sampling.temperature).softmax(-1).cumsum(-1)
        token = int((chances < torch.tensor(number) * chances[-1]).sum())
        if token == 2:
            break
        ids.append(token)
    return prompt + writer.tokenizer.decode(ids[start:], skip_special_tokens=True)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
def test_generation_is_the_plain_one(writer: Writer, sentences, temperature: float) -> None:
    prompts = sentences(7)
    sampling = replace(SAMPLING, temperature=temperature)
    assert generate(writer, prompts, sampling) == [plain(writer, prompt, sampling) for prompt in prompts]


def test_generation_does_not_depend_on_batches_or_order(writer: Writer, sentences) -> None:
    prompts = sentences(11)
    texts = generate(writer, prompts, SAMPLING)
    assert generate(writer, prompts, replace(SAMPLING, batch=1)) == texts
    assert generate(writer, prompts[::-1], replace(SAMPLING, batch=5)) == texts[::-1]
    assert generate(writer, prompts, replace(SAMPLING, seed=4)) != texts


def test_steered_generation_steers_every_step(writer: Writer, sentences) -> None:
    prompts, vector = sentences(5), 5 * torch.randn(24, generator=torch.Generator().manual_seed(2))
    with steered(writer.model, {1: adding(vector)}):
        batched, alone = generate(writer, prompts, SAMPLING), [plain(writer, p, SAMPLING) for p in prompts]
    assert batched == alone != generate(writer, prompts, SAMPLING)


def test_a_text_ends_at_the_end_token(llama: Writer, sentences) -> None:
    class Sure(torch.nn.Module):
        def forward(self, hidden):
            rows = torch.full((*hidden.shape[:2], 64), -100.0)
            rows[..., 2] = 100.0
            return rows

    head = llama.model.lm_head
    llama.model.lm_head = Sure()
    try:
        assert generate(llama, ["w1 w2", "w5"], SAMPLING) == ["w1 w2", "w5"]
    finally:
        llama.model.lm_head = head


def test_an_empty_prompt_is_refused(llama: Writer) -> None:
    with pytest.raises(ValueError, match="a text has no tokens"):
        generate(replace(llama, special=False), ["w1", ""], SAMPLING)


def test_padding_side_and_cut(llama: Writer) -> None:
    ids, mask = encode(llama, ["w0", "w0 w1 w2"], side="left", longest=3)
    assert ids.tolist() == [[0, 1, 4], [1, 4, 5]]
    assert mask.tolist() == [[0, 1, 1], [1, 1, 1]]
    assert encode(llama, ["w0", "w0 w1 w2"], side="right")[0].tolist() == [[1, 4, 0, 0], [1, 4, 5, 6]]


# -------------------------------------------------------------------------------------------------------- perplexity


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
    with pytest.raises(ValueError, match="no text goes on after its prompt"):
        perplexity(llama, ["w1 w2"], ["w1 w2"])


# ----------------------------------------------------------------------------------------------------------- pooling


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


def test_pooling_reads_the_first_tokens_of_a_long_text(llama: Writer) -> None:
    long = " ".join(["w1", "w2", "w3", "w4"] * 5)
    assert np.allclose(
        pooled(llama, [long], {1: None}, longest=5)[1], pooled(llama, ["w1 w2 w3 w4"], {1: None})[1], atol=1e-6
    )


def test_pooling_refuses_a_text_of_one_token(llama: Writer) -> None:
    with pytest.raises(ValueError, match="text of one token"):
        pooled(replace(llama, special=False), ["w1 w2", "w1"], {1: None})


# ----------------------------------------------------------------------------------------------------------- learning


def test_learnt_vectors_make_the_texts_likelier(writer: Writer) -> None:
    prompts = ["w1 w2", "w3 w4 w5"] * 8
    texts = [f"{prompt} w7 w8 w7 w8" for prompt in prompts]
    state = {name: value.clone() for name, value in writer.model.state_dict().items()}
    vectors, losses = learn(writer, prompts, texts, (1, 2), steps=30, rate=0.3, batch=8)
    assert losses[-1] < losses[0] - 0.1
    before = perplexity(writer, prompts, texts)
    with steered(writer.model, {layer: adding(vector) for layer, vector in vectors.items()}):
        assert perplexity(writer, prompts, texts) < before
    assert all(torch.equal(value, state[name]) for name, value in writer.model.state_dict().items())


def test_the_first_loss_is_the_unsteered_surprise(llama: Writer, sentences) -> None:
    prompts = sentences(6)
    texts = [f"{prompt} {rest}" for prompt, rest in zip(prompts, sentences(6, 1), strict=True)]
    _, losses = learn(llama, prompts, texts, (0,), steps=1, rate=0.1, batch=6)
    assert np.exp(losses[0]) == pytest.approx(perplexity(llama, prompts, texts), rel=1e-4)


def test_an_answer_that_is_no_number_is_refused(llama: Writer) -> None:
    """Without a check the last word of the vocabulary would be written, again and again."""
    hurt = {1: adding(torch.full((24,), float("nan")))}
    with steered(llama.model, hurt), pytest.raises(NotANumberError, match="next word.*NaN.*float32"):
        generate(llama, ["w1 w2"], SAMPLING)
    with steered(llama.model, hurt), pytest.raises(NotANumberError, match="perplexity"):
        perplexity(llama, ["w1"], ["w1 w2 w3"])
