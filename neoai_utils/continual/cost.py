"""What pictures cost: the memory of a backward pass, counted on the network itself, and the hours of a training.

TinyViT-5M at 224 pixels a side holds 95 MB for each picture of a training step and 87 MB in an inversion (float32). A
step of 64 pictures takes 6.1 GB, of 128 already 12.2 GB of a card's 15. Beside it lie both networks and Adam's moments
(0.1 GB), the teacher's forward pass and the backward pass's own tensors (each about 10 MB a picture). With 7 GB for the
graph, the peak stays below 9 GB.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from neoai_utils.continual import checkpoint
from neoai_utils.runtime import stopwatch

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["graph_bytes", "pictures_at_once", "training_hours"]

_BUDGET = 7 * 10**9  # bytes of the graph; less only on small cards, because sums in parts round differently
_SHARE = 0.6  # of a card's free memory
_TIMED = 4  # pictures


def graph_bytes(forward: Callable[[], Tensor], model: nn.Module) -> int:
    """Return the bytes that autograd keeps for the backward pass of one call.

    Args:
        forward: computes a tensor with a graph.
        model: its parameters and buffers are there anyway and are not counted.
    """
    owned = {values.untyped_storage().data_ptr() for values in [*model.parameters(), *model.buffers()]}
    kept: dict[int, int] = {}

    def note(values: Tensor) -> Tensor:
        storage = values.untyped_storage()
        if storage.data_ptr() not in owned:
            kept[storage.data_ptr()] = storage.nbytes()
        return values

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda values: values):
        output = forward()  # while it lives, no storage is freed and no address comes twice
    del output
    return sum(kept.values())


def pictures_at_once(forward: Callable[[], Tensor], model: nn.Module) -> int:
    """Return how many pictures a backward pass may hold, at least 1.

    Args:
        forward: computes a tensor with a graph, for one picture.
        model: the network, see `graph_bytes`.
    """
    return max(1, _budget(next(model.parameters()).device) // max(1, graph_bytes(forward, model)))


def _budget(device: torch.device) -> int:
    if device.type != "cuda":
        return _BUDGET
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(_BUDGET, int(_SHARE * (free + unused)))


def training_hours(model: TinyVit, side: int, pictures: int) -> float:
    """Return about how many hours fine-tuning with distillation takes on this machine.

    The fastest of three steps on four blank pictures counts, with the teacher's forward pass. A GPU is faster with
    larger steps, so the time is too high there.

    Args:
        model: the network; unchanged.
        side: pixels along a side.
        pictures: number of pictures times epochs.
    """
    student = checkpoint.clone(model).train()
    images = torch.zeros(_TIMED, 3, side, side, device=next(student.parameters()).device)

    def step() -> float:
        with torch.no_grad():
            target = model(images)
        loss: Tensor = (student(images) - target).square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(student.head.fc.weight.grad.sum())  # waits for the GPU

    step()
    seconds = []
    for _ in range(3):
        with stopwatch() as watch:
            step()
        seconds.append(watch.seconds)
    return min(seconds) / _TIMED * pictures / 3600
