"""The number format of the writer: what the device computes fast, and a way out where float16 overflows.

bfloat16 has the range of float32. Cards below compute capability 8, such as Kaggle's T4, compute it slowly, so the
writer is in float16 there. float16 ends at 65,504; a model that was trained in bfloat16 can exceed that, and its output
becomes NaN. The writer then goes on in bfloat16, which is as large as float16. (float32 would take 10.4 GB for Gemma 2
2B, too much beside the other models on a card of 14 GB.)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Protocol, TypeVar

import torch

from neoai_utils.errors import NotANumberError
from neoai_utils.number_formats import fast_dtype

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["retried", "writer_dtype"]


class HasModel(Protocol):
    """What holds a language model, such as a writer."""

    @property
    def model(self) -> PreTrainedModel:
        """Return the model."""
        ...


P = ParamSpec("P")
T = TypeVar("T")
W = TypeVar("W", bound=HasModel)


def writer_dtype(device: torch.device) -> str:
    """Return the name of the number format for a writer of billions of parameters on this device.

    On a CUDA card it is that of `number_formats.fast_dtype`. A CPU gets "bfloat16" to save memory, but "float32" if it
    has no AVX-512, because matrix products in bfloat16 are many times slower then.
    """
    if device.type == "cuda":
        return str(fast_dtype(device)).removeprefix("torch.")
    if device.type == "cpu" and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
        return "float32"
    return "bfloat16"


def retried(function: Callable[Concatenate[W, P], T]) -> Callable[Concatenate[W, P], T]:
    """Decorate a function of a writer: if the writer's float16 overflows, convert it to bfloat16 and call again.

    The conversion is in place and printed in one line, so that it happens once.
    """

    @wraps(function)
    def wrapped(writer: W, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(writer, *args, **kwargs)
        except NotANumberError:
            if writer.model.dtype != torch.float16:
                raise
        print(
            "The writer's float16 overflows. It goes on in bfloat16, which has the range of float32 but is slower here."
        )
        writer.model.to(torch.bfloat16)
        return function(writer, *args, **kwargs)

    return wrapped
