"""Distillation from the unedited network: concept ablation and ESD."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.diffusion.texts import states
from neoai_utils.diffusion.training import TrainingPlan, add_noise, noise_scheduler, train_unet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["distil"]


def distil(
    pipe: StableDiffusionPipeline,
    pairs: Sequence[tuple[str, str]],
    keep: Sequence[str],
    latents: Tensor,
    plan: TrainingPlan,
    *,
    repel: float = 0.0,
) -> list[float]:
    """Teach the UNet to predict for one prompt what the unedited UNet predicts for another; return the losses.

    With pairs (horse prompt, pig prompt) this is concept ablation in its model-based form (Kumari et al. 2023,
    2303.13516). With pairs (horse prompt, "") and `repel` above 0 it is ESD (Gandikota et al. 2023, 2303.07345), which
    erases a concept without a replacement. In general the goal is

        eps(goal) + repel (eps(goal) - eps(source)),

    and for the prompts to keep, which are as many in each step, the old prediction.

    Args:
        pipe: its UNet is changed in place.
        pairs: (source prompt, goal prompt).
        keep: prompts whose pictures must stay the same.
        latents: (n, channels, height, width) scaled latents to which noise is added; any pictures serve.
        plan: steps, learning rate, batch size, weights.
        repel: how far beyond the goal to go, away from the source.
    """
    rng = np.random.default_rng(plan.seed)
    teacher = copy.deepcopy(pipe.unet).requires_grad_(False)
    scheduler = noise_scheduler(pipe)

    def loss_of(model: nn.Module, generator: torch.Generator, local: list[int]) -> Tensor:
        drawn = [pairs[row] for row in rng.integers(len(pairs), size=plan.batch_size)]
        kept = [keep[row] for row in rng.integers(len(keep), size=plan.batch_size)]
        rows = rng.integers(len(latents), size=2 * plan.batch_size)
        noisy, times, _ = add_noise(scheduler, latents[rows], generator)
        noisy, times = (part[local + [plan.batch_size + row for row in local]] for part in (noisy, times))
        texts = ([drawn[row][0] for row in local], [drawn[row][1] for row in local], [kept[row] for row in local])
        half = len(local)
        with torch.no_grad():
            source, goal, same = (states(pipe, prompts) for prompts in texts)
            aim = teacher(noisy, times, torch.cat([goal, same])).sample.float()
            if repel:
                before = teacher(noisy[:half], times[:half], source).sample.float()
                aim[:half] += repel * (aim[:half] - before)
        output = model(noisy, times, torch.cat([source, same])).sample.float()
        return functional.mse_loss(output[:half], aim[:half]) + functional.mse_loss(output[half:], aim[half:])

    return train_unet(pipe, plan, loss_of)
