"""Generation on tiny models of three families, against slow plain references."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.steering import memory
from neoai_utils.steering.generation import Sampling, Writer, encode, generate, uniform
from neoai_utils.steering.hooks import adding, steered

SAMPLING = Sampling(new_tokens=9, temperature=1.0, seed=3, batch=4)


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


def test_a_small_budget_of_memory_makes_small_batches_and_the_same_texts(
    writer: Writer, sentences, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts, rows = sentences(11), []
    texts = generate(writer, prompts, replace(SAMPLING, batch=11))
    monkeypatch.setattr(memory, "BUDGET", 200_000)
    embedding = writer.model.get_input_embeddings()
    handle = embedding.register_forward_hook(lambda _module, inputs, _output: rows.append(len(inputs[0])))
    try:
        assert generate(writer, prompts, replace(SAMPLING, batch=11)) == texts
    finally:
        handle.remove()
    assert 1 < max(rows) < 11


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
        generate(replace(llama, add_special_tokens=False), ["w1", ""], SAMPLING)


def test_padding_side_and_cut(llama: Writer) -> None:
    ids, mask = encode(llama, ["w0", "w0 w1 w2"], side="left", max_length=3)
    assert ids.tolist() == [[0, 1, 4], [1, 4, 5]]
    assert mask.tolist() == [[0, 1, 1], [1, 1, 1]]
    assert encode(llama, ["w0", "w0 w1 w2"], side="right")[0].tolist() == [[1, 4, 0, 0], [1, 4, 5, 6]]


def test_an_output_that_is_no_number_is_refused(llama: Writer) -> None:
    """Without a check the last word of the vocabulary would be written, again and again."""
    hurt = {1: adding(torch.full((24,), float("nan")))}
    with steered(llama.model, hurt), pytest.raises(NotANumberError, match="next word.*NaN.*float32"):
        generate(llama, ["w1 w2"], SAMPLING)
