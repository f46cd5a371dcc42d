"""Steering of activations while pictures are drawn; no weight changes (CASteer, Gaintseva et al. 2025, 2503.09630).

The output of each cross-attention layer at each denoising step is recorded for prompts with one concept and for the
same prompts with the other. The difference of the means is a direction. While drawing, the component of an output along
the direction is reduced, and the output's length is restored.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neoai_utils.diffusion.generation import Sampling, batch_size, draw
from neoai_utils.errors import ParameterError
from neoai_utils.hooks import hooked

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

__all__ = ["cross_attention_layers", "directions", "record", "steered"]

Activations = Mapping[tuple[str, int], Tensor]
"""(layer, step) -> (width,)."""


def record(pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling) -> dict[tuple[str, int], Tensor]:
    """Return the mean output of every cross-attention layer at every step, over prompts and positions.

    Only the half of a batch that is conditioned on the text counts. Batches are as large as the memory allows, and each
    output is reduced to its mean at once.

    Returns:
        (layer, step) -> (width,) float32.
    """
    size = sampling.batch_size or batch_size(pipe)
    outputs: dict[str, list[Tensor]] = defaultdict(list)

    def note(name: str, _step: int, output: Tensor) -> Tensor:
        outputs[name].append(output[len(output) // 2 :].float().mean(dim=1).sum(dim=0))
        return output

    with _hooked_layers(pipe.unet, note):
        draw(pipe, prompts, replace(sampling, batch_size=size))
    means: dict[tuple[str, int], Tensor] = {}
    for name, sums in outputs.items():
        steps = len(sums) // math.ceil(len(prompts) / size)  # evaluations of the network in each batch
        means |= {(name, step): torch.stack(sums[step::steps]).sum(dim=0) / len(prompts) for step in range(steps)}
    return means


def directions(source: Activations, target: Activations) -> Activations:
    """Return the unit vectors, (width,) each, from the target's recorded means to the source's."""
    return {key: torch.nn.functional.normalize(source[key] - target[key], dim=0) for key in source}


@contextmanager
def steered(unet: UNet2DConditionModel, vectors: Activations, strength: float) -> Iterator[None]:
    """Subtract `strength` times the component along the vectors from all cross-attention outputs in the `with` block.

    1 removes the source concept, 2 mirrors it to the target's side. Outputs that point the other way stay as they are.

    Raises:
        ParameterError: the vectors are of another network.
    """
    names = {name for name, _ in vectors}
    if unknown := names - set(cross_attention_layers(unet)):
        raise ParameterError(f"the network has no layer {min(unknown)}: the vectors were recorded on another one.")
    steps = 1 + max(step for _, step in vectors)

    def steer(name: str, step: int, output: Tensor) -> Tensor:
        vector = vectors[name, step % steps].to(output)
        along = (output @ vector).clamp(min=0)[..., None]
        moved = output - strength * along * vector
        length = output.norm(dim=-1, keepdim=True)
        restored: Tensor = moved * (length / moved.norm(dim=-1, keepdim=True).clamp(min=1e-6))
        return restored

    with _hooked_layers(unet, steer):
        yield


def cross_attention_layers(unet: UNet2DConditionModel) -> dict[str, Any]:
    """Return the cross-attention layers by name, in the network's order."""
    return {name: module for name, module in unet.named_modules() if name.endswith("attn2")}


@contextmanager
def _hooked_layers(unet: UNet2DConditionModel, act: Callable[[str, int, Tensor], Tensor]) -> Iterator[None]:
    """Let `act(layer, step, output)` replace every cross-attention's output; steps are counted layer by layer."""
    calls: dict[str, int] = defaultdict(int)

    def hook_of(name: str) -> Callable[..., Tensor]:
        def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
            calls[name] += 1
            return act(name, calls[name] - 1, output)

        return hook

    with hooked({module: hook_of(name) for name, module in cross_attention_layers(unet).items()}):
        yield
