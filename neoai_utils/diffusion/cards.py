"""One pipeline on several GPUs: each draws the next batch that nobody has, with a copy of the pipeline.

Threads are enough, because the work is done by the GPUs. Cards of one kind compute the same bytes, so that a picture
does not depend on the card that drew it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import nn

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["copies", "other_cards", "shared"]

T = TypeVar("T")
R = TypeVar("R")


def other_cards(pipe: StableDiffusionPipeline) -> list[torch.device]:
    """Return the further GPUs of the kind that the pipeline is on.

    There are none while the UNet has hooks, which may count the steps of one drawing (`steering`).
    """
    if pipe.device.type != "cuda" or any(module._forward_hooks for module in pipe.unet.modules()):
        return []
    own = pipe.device.index or 0
    kind = torch.cuda.get_device_name(own)
    others = [card for card in range(torch.cuda.device_count()) if card != own]
    return [torch.device("cuda", card) for card in others if torch.cuda.get_device_name(card) == kind]


def copies(pipe: StableDiffusionPipeline, most: int) -> list[StableDiffusionPipeline]:
    """Return the pipeline and its copies on other cards, at most `most` in all.

    A copy has the edits of the weights and the hooks of the text encoder.
    """
    return [pipe, *(_copied(pipe, card) for card in other_cards(pipe)[: most - 1])]


def _copied(pipe: StableDiffusionPipeline, device: torch.device) -> StableDiffusionPipeline:
    parts = {}
    for name, part in pipe.components.items():
        twin = copy.deepcopy(part)  # tokenizer and scheduler, too: threads must not share them
        parts[name] = twin.to(device) if isinstance(twin, nn.Module) else twin
    made = type(pipe)(**parts, requires_safety_checker=False)
    made.set_progress_bar_config(disable=True)
    return made


def shared(
    pipes: Sequence[StableDiffusionPipeline], tasks: Sequence[T], work: Callable[[StableDiffusionPipeline, T], R]
) -> Iterator[R]:
    """Yield the result of each task, in order; every pipeline takes the next task as soon as it is idle.

    After an error no further task is begun.
    """
    if len(pipes) == 1:
        yield from (work(pipes[0], task) for task in tasks)
        return
    idle: SimpleQueue[StableDiffusionPipeline] = SimpleQueue()
    for pipe in pipes:
        idle.put(pipe)

    def one(task: T) -> R:
        pipe = idle.get()
        try:
            with torch.cuda.device(pipe.device) if pipe.device.type == "cuda" else nullcontext():
                return work(pipe, task)
        finally:
            idle.put(pipe)

    with ThreadPoolExecutor(len(pipes)) as pool:
        yield from pool.map(one, tasks)
