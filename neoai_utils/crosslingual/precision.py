"""Training in the number format that the device multiplies fastest, with float32 as the way back.

The weights and AdamW's state stay in float32; the network's products are computed in bfloat16 on CUDA cards that have
it in hardware (compute capability 8 and above), in float16 on older ones such as the T4, whose tensor cores have no
bfloat16. Small gradients vanish in float16, so the loss is scaled up before they are computed and they are scaled down
afterwards (Micikevicius et al. 2018, 1710.03740); an update whose gradients overflow is skipped.

Memory of XLM-R base (278 million weights) on a card: weights, gradients and both moments of AdamW take 4.4 GB; the half
precision copies of the weights 0.6 GB; the states of 64 sentences of 64 tokens, the longest that are read, 1.5 GB in
half precision and 3 GB in float32. One model is trained at a time and leaves the card afterwards: less than 8 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from neoai_utils.errors import NotANumberError
from neoai_utils.runtime import pick_device, refuse_nan

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Updates", "in_float32_if_nan", "new_accelerator"]

T = TypeVar("T")
_CHECKED_EVERY = 50  # updates; a check waits for the card


def in_float32_if_nan(train: Callable[[torch.dtype], T], dtype: torch.dtype) -> T:
    """Train in a format, and once more in float32 if the loss becomes NaN, which is printed.

    Args:
        train: function of the format that returns what it trained.
        dtype: the format to try first.

    Raises:
        NotANumberError: the loss is NaN in float32, too.
    """
    try:
        return train(dtype)
    except NotANumberError:
        if dtype is torch.float32:
            raise
        print(f"The loss became NaN in {str(dtype).removeprefix('torch.')}; trained again in float32.")
    return train(torch.float32)


def new_accelerator(**settings: Any) -> Accelerator:
    """Return an `Accelerator` on the device of `pick_device`: on the CPU if there is a GPU that does not work."""
    from accelerate import Accelerator

    broken = torch.cuda.is_available() and pick_device(quiet=True).type == "cpu"
    return Accelerator(cpu=True, **settings) if broken else Accelerator(**settings)


class Updates:
    """The updates of a training in a number format."""

    def __init__(self, accelerator: Accelerator, dtype: torch.dtype, max_norm: float | None) -> None:
        """Prepare.

        Args:
            accelerator: of the training.
            dtype: format of the products; float32 changes nothing.
            max_norm: gradients are clipped to this norm; None: they are not clipped.
        """
        self._accelerator, self._dtype, self._max_norm = accelerator, dtype, max_norm
        self._scaler = torch.amp.GradScaler(accelerator.device.type, enabled=dtype is torch.float16)
        self._count = 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the loss is computed."""
        if self._dtype is torch.float32:
            return nullcontext()
        return torch.autocast(self._accelerator.device.type, self._dtype)

    def step(self, loss: Tensor, model: nn.Module, optimizer: torch.optim.Optimizer, *, last: bool) -> None:
        """Update the weights once.

        Args:
            loss: of the batch.
            model: as the accelerator prepared it.
            optimizer: likewise.
            last: whether this is the last update; the loss is checked then, and every 50 updates before.

        Raises:
            NotANumberError: the loss is NaN.
        """
        if last or self._count % _CHECKED_EVERY == 0:
            refuse_nan(self._accelerator.reduce(loss.detach(), "mean"), "the loss of a training", self._dtype)
        self._count += 1
        self._accelerator.backward(self._scaler.scale(loss))
        if self._max_norm is not None:
            self._scaler.unscale_(optimizer)
            self._accelerator.clip_grad_norm_(model.parameters(), self._max_norm)
        self._scaler.step(optimizer)
        self._scaler.update()
        optimizer.zero_grad()
