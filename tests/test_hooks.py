"""Hooks are registered for a block of code and removed after it."""

import pytest
import torch
from torch import nn

from neoai_utils.hooks import hidden_states, hooked, with_hidden_states


def test_a_hook_replaces_an_output_inside_the_block_only() -> None:
    layer = nn.Linear(2, 2)
    x = torch.ones(1, 2)
    before = layer(x)
    with hooked({layer: lambda module, inputs, output: output + 1}):
        assert torch.equal(layer(x), before + 1)
    assert torch.equal(layer(x), before)


def test_a_hook_before_the_module_replaces_its_inputs() -> None:
    layer = nn.Identity()
    with hooked({layer: lambda module, inputs, keywords: ((inputs[0] * 2,), keywords)}, before=True):
        assert layer(torch.tensor(3.0)) == 6
    assert layer(torch.tensor(3.0)) == 3


def test_hooks_are_removed_after_an_error() -> None:
    layers = [nn.Identity(), nn.Identity()]
    with pytest.raises(ZeroDivisionError), hooked(dict.fromkeys(layers, lambda *_: torch.tensor(0))):
        raise ZeroDivisionError
    assert [layer(5) for layer in layers] == [5, 5]


@pytest.mark.parametrize("output", [torch.ones(2), (torch.ones(2), "cache")], ids=["alone", "tuple"])
def test_hidden_states_are_read_and_replaced_in_either_form(output) -> None:
    assert torch.equal(hidden_states(output), torch.ones(2))
    changed = with_hidden_states(output, torch.zeros(2))
    assert torch.equal(hidden_states(changed), torch.zeros(2))
    assert not isinstance(output, tuple) or changed[1:] == ("cache",)
