"""Temporary forward hooks on PyTorch modules, and the hidden states in the output of a transformer block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

__all__ = ["hidden_states", "hooked", "with_hidden_states"]


@contextmanager
def hooked(hooks: Mapping[nn.Module, Callable[..., Any]], *, before: bool = False) -> Iterator[None]:
    """Register forward hooks during the `with` block; they are removed after it, also after an error.

    Args:
        hooks: module -> hook, called as `hook(module, inputs, output)`. If it returns a value other than None, the
            value replaces the output.
        before: call the hooks before the module, as `hook(module, inputs, keywords)`. If a hook returns a pair, the
            pair replaces inputs and keywords.
    """
    with ExitStack() as stack:
        for module, hook in hooks.items():
            if before:
                handle = module.register_forward_pre_hook(hook, with_kwargs=True)
            else:
                handle = module.register_forward_hook(hook)
            stack.callback(handle.remove)
        yield


def hidden_states(output: Any) -> Tensor:
    """Return the hidden states in a block's output: the output itself or, in some versions, the first of a tuple."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def with_hidden_states(output: Any, states: Tensor) -> Any:
    """Return a block's output, of the same form, with other hidden states."""
    return (states, *output[1:]) if isinstance(output, tuple) else states
