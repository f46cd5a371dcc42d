"""Hooks act while their block runs and are removed afterwards, whatever happens in it."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neoai_utils.hooks import hidden_states, hooked, with_hidden_states


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)).eval()


X = torch.arange(6.0).reshape(2, 3)


def count(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in net.modules())


def test_a_hook_replaces_the_output_while_the_block_runs() -> None:
    net = network()
    before = net(X)
    with hooked({net[0]: lambda module, inputs, output: output * 0}):
        assert torch.equal(net(X), net[1].bias.expand(2, 3))
    assert torch.equal(net(X), before)
    assert count(net) == 0


def test_a_hook_that_returns_none_only_looks() -> None:
    net, seen = network(), []
    before = net(X)
    with hooked({module: lambda module, inputs, output: seen.append((module, inputs[0].shape)) for module in net}):
        assert torch.equal(net(X), before)
    assert [module for module, _ in seen] == list(net)
    assert {shape for _, shape in seen} == {X.shape}


def test_a_hook_before_the_module_gets_and_replaces_inputs_and_keywords() -> None:
    class Scaled(nn.Module):
        def forward(self, x: torch.Tensor, *, factor: float = 1.0) -> torch.Tensor:
            return x * factor

    def change(module: nn.Module, inputs: tuple, keywords: dict) -> tuple:
        return (inputs[0] + 1,), {"factor": keywords["factor"] * 2}

    module = Scaled()
    with hooked({module: change}, before=True):
        assert torch.equal(module(X, factor=3.0), (X + 1) * 6)
    with hooked({module: lambda module, inputs, keywords: None}, before=True):
        assert torch.equal(module(X, factor=3.0), X * 3)
    assert count(module) == 0


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_hooks_are_removed_after_an_error(before: bool, error: type[BaseException]) -> None:
    net = network()
    expected = net(X)

    def fails(*_: object) -> None:
        raise error

    for block in (lambda: net(X), fails):
        with pytest.raises(error), hooked(dict.fromkeys(net, fails), before=before):
            assert count(net) == 2
            block()
    assert count(net) == 0
    assert torch.equal(net(X), expected)


def test_hooks_that_were_registered_are_removed_when_a_later_module_refuses() -> None:
    net = network()
    with pytest.raises(AttributeError), hooked({net[0]: lambda *_: None, "no module": lambda *_: None}):
        pytest.fail("the block runs")
    assert count(net) == 0


def test_blocks_can_be_nested_and_other_hooks_stay() -> None:
    net = network()
    other = net[0].register_forward_hook(lambda module, inputs, output: output + 1)
    expected = net(X)
    with hooked({net[1]: lambda module, inputs, output: output * 2}):
        with hooked({net[1]: lambda module, inputs, output: output * 3}):
            assert torch.allclose(net(X), expected * 6)
        assert torch.allclose(net(X), expected * 2)
    assert torch.equal(net(X), expected)
    assert count(net) == 1
    other.remove()


def test_no_hooks_are_allowed() -> None:
    with hooked({}):
        assert network()(X).shape == (2, 3)


@given(st.lists(st.integers(), max_size=3), st.booleans())
def test_hidden_states_of_either_form_are_read_and_replaced(others: list[int], in_tuple: bool) -> None:
    output = (X, *others) if in_tuple else X
    assert hidden_states(output) is X
    replaced = with_hidden_states(output, X + 1)
    assert type(replaced) is type(output)
    assert torch.equal(hidden_states(replaced), X + 1)
    if in_tuple:
        assert list(replaced[1:]) == others
