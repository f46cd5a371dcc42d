"""Steering of activations while pictures are drawn: no weight changes (CASteer, Gaintseva et al. 2025, 2503.09630).

What each cross-attention layer gives out at each denoising step is recorded for prompts with the one concept and for
the same prompts with the other; the difference of the means is a direction. While drawing, the part of an output that
points along it is scaled down, and the output's length is put back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

__all__ = ["directions", "layers", "record", "steered"]

Directions = Mapping[tuple[str, int], Tensor]
"""Layer and step -> (width,)."""


def record(pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling) -> dict[tuple[str, int], Tensor]:
    """Return the mean output of every cross-attention layer at every step, over prompts and positions.

    Only the half of a batch that sees the text counts.
    """
    found: dict[tuple[str, int], list[Tensor]] = defaultdict(list)

    def note(name: str, step: int, output: Tensor) -> Tensor:
        found[name, step].append(output[len(output) // 2 :].float().mean(dim=(0, 1)))
        return output

    with _hooked(pipe.unet, note):
        draw(pipe, prompts, Sampling(sampling.steps, sampling.guidance, sampling.seed, batch=len(prompts)))
    return {place: torch.stack(values).mean(dim=0) for place, values in found.items()}


def directions(source: Mapping[tuple[str, int], Tensor], target: Mapping[tuple[str, int], Tensor]) -> Directions:
    """Return the unit vectors from the target's recorded means to the source's."""
    return {place: torch.nn.functional.normalize(source[place] - target[place], dim=0) for place in source}


@contextmanager
def steered(unet: UNet2DConditionModel, vectors: Directions, strength: float) -> Iterator[None]:
    """Take `strength` times the part along the vectors off all cross-attention outputs, within the `with` block.

    1 removes the source concept, 2 mirrors it to the target's side. Outputs that point the other way stay as they are.

    Raises:
        ParameterError: the vectors are of another network.
    """
    names = {name for name, _ in vectors}
    if unknown := names - {name for name, _ in layers(unet)}:
        raise ParameterError(f"the network has no layer {min(unknown)}: the vectors were recorded on another one.")
    steps = 1 + max(step for _, step in vectors)

    def steer(name: str, step: int, output: Tensor) -> Tensor:
        vector = vectors[name, step % steps].to(output)
        along = (output @ vector).clamp(min=0)[..., None]
        moved = output - strength * along * vector
        length = output.norm(dim=-1, keepdim=True)
        steered_output: Tensor = moved * (length / moved.norm(dim=-1, keepdim=True).clamp(min=1e-6))
        return steered_output

    with _hooked(unet, steer):
        yield


def layers(unet: UNet2DConditionModel) -> list[tuple[str, Any]]:
    """Return the cross-attention layers by name, in the network's order."""
    return [(name, module) for name, module in unet.named_modules() if name.endswith("attn2")]


@contextmanager
def _hooked(unet: UNet2DConditionModel, act: Callable[[str, int, Tensor], Tensor]) -> Iterator[None]:
    """Let `act(layer, step, output)` replace every cross-attention's output; steps are counted layer by layer."""
    calls: dict[str, int] = defaultdict(int)

    def hook_of(name: str) -> Callable[..., Tensor]:
        def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
            calls[name] += 1
            return act(name, calls[name] - 1, output)

        return hook

    handles = [module.register_forward_hook(hook_of(name)) for name, module in layers(unet)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
