"""Forward hooks of PyTorch that are removed again, and block outputs of either form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

__all__ = ["hidden_states", "hooked", "with_hidden_states"]


@contextmanager
def hooked(hooks: Mapping[nn.Module, Callable[..., Any]], *, before: bool = False) -> Iterator[None]:
    """Register forward hooks while the `with` block runs; they are removed afterwards, also after an error.

    Args:
        hooks: module -> hook, called as `hook(module, inputs, output)`; what it returns, unless None, replaces the
            output.
        before: call the hooks before the module runs, as `hook(module, inputs, keywords)`; what a hook returns, unless
            None, replaces both.
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
    """Return the hidden states of a block's output: some versions return them alone, others first in a tuple."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def with_hidden_states(output: Any, states: Tensor) -> Any:
    """Return a block's output, in the form it has, with other hidden states."""
    return (states, *output[1:]) if isinstance(output, tuple) else states
