"""Change the hidden states of a language model while it writes, with ordinary forward hooks of PyTorch.

A hook sits on a whole block (layer) of a `transformers` model, so the same code steers Gemma 2, Llama and its
relatives, and GPT-2. (Wrappers that rename hook points may accept a hook and never call it; a plain module cannot.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Change", "adding", "blocks", "steered"]

Change = Callable[[Tensor], Tensor]
_PATHS = ("model.layers", "transformer.h")  # Gemma, Llama, Mistral, Qwen; GPT-2


def blocks(model: PreTrainedModel) -> nn.ModuleList:
    """Return the model's blocks in order.

    Raises:
        ParameterError: the model keeps them in an unknown place.
    """
    for path in _PATHS:
        found: Any = model
        for name in path.split("."):
            found = getattr(found, name, None)
        if isinstance(found, nn.ModuleList):
            return found
    raise ParameterError(f"{type(model).__name__} keeps its blocks in none of {', '.join(_PATHS)}.")


def adding(vector: Tensor, strength: float = 1.0) -> Change:
    """Return the change that adds `strength * vector`, (width), to the hidden state of every position."""
    step = strength * vector
    return lambda hidden: hidden + step.to(hidden)


@contextmanager
def steered(model: PreTrainedModel, changes: Mapping[int, Change]) -> Iterator[None]:
    """Apply changes to the outputs (batch, length, width) of blocks while the `with` block runs.

    Args:
        model: whose blocks are steered; it is as before afterwards, even after an error.
        changes: number of a block (0 is the first) -> change.

    Raises:
        ParameterError: there is no such block.
    """
    layers = blocks(model)
    for layer in changes:
        if not 0 <= layer < len(layers):
            raise ParameterError(f"there is no block {layer}: this model has the blocks 0 to {len(layers) - 1}.")
    handles = [layers[layer].register_forward_hook(_hook(change)) for layer, change in changes.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _hook(change: Change) -> Callable[[nn.Module, Any, Any], Any]:
    """Wrap a change: some versions of a block return the hidden state alone, others a tuple that starts with it."""

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        return (change(output[0]), *output[1:]) if isinstance(output, tuple) else change(output)

    return hook
