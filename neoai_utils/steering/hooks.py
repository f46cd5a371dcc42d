"""Change the hidden states of a language model during its forward pass, with forward hooks of PyTorch.

A hook is registered on a whole block (layer) of a `transformers` model, so the same code steers Gemma 2, Llama and its
relatives, and GPT-2. (Wrappers that rename hook points may accept a hook and never call it; a plain module cannot.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from neoai_utils.errors import ParameterError
from neoai_utils.hooks import hidden_states, hooked, with_hidden_states

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Change", "adding", "blocks", "steered"]

Change = Callable[[Tensor], Tensor]
_PATHS = ("model.layers", "transformer.h")  # Gemma, Llama, Mistral, Qwen; GPT-2


def blocks(model: PreTrainedModel) -> nn.ModuleList:
    """Return the model's blocks in order.

    Raises:
        ParameterError: the model keeps them under an unknown attribute.
    """
    for path in _PATHS:
        module: Any = model
        for name in path.split("."):
            module = getattr(module, name, None)
        if isinstance(module, nn.ModuleList):
            return module
    raise ParameterError(f"{type(model).__name__} keeps its blocks in none of {', '.join(_PATHS)}.")


def adding(vector: Tensor, strength: float = 1.0) -> Change:
    """Return the change that adds `strength * vector`, (width), to the hidden state of every position."""
    step = strength * vector
    return lambda hidden: hidden + step.to(hidden)


@contextmanager
def steered(model: PreTrainedModel, changes: Mapping[int, Change]) -> Iterator[None]:
    """Apply changes to the outputs (batch, length, width) of blocks while the `with` block runs.

    Args:
        model: its blocks are steered; the hooks are removed afterwards, also after an error.
        changes: number of a block (0 is the first) -> change.

    Raises:
        ParameterError: there is no such block.
    """
    layers = blocks(model)
    for layer in changes:
        if not 0 <= layer < len(layers):
            raise ParameterError(f"there is no block {layer}: this model has the blocks 0 to {len(layers) - 1}.")
    with hooked({layers[layer]: _hook(change) for layer, change in changes.items()}):
        yield


def _hook(change: Change) -> Callable[[nn.Module, Any, Any], Any]:
    return lambda _module, _inputs, output: with_hidden_states(output, change(hidden_states(output)))
