"""Steering hooks on tiny models of three families."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.errors import ParameterError
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import adding, blocks, steered
from tests.steering.conftest import logits


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
