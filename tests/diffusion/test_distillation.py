"""Distillation reaches the goal of its formula."""

from __future__ import annotations

import copy

import pytest
import torch
from diffusers import DDPMScheduler

from neoai_utils.diffusion.distillation import distil
from neoai_utils.diffusion.texts import states
from neoai_utils.diffusion.training import TrainingPlan


@pytest.mark.parametrize(("goal", "repel"), [("a photo of a pig", 0.0), ("", 1.5)])
def test_distillation_reaches_its_goal(pipe, examples, goal, repel):
    """Where horse and kept prompts are apart, the student predicts what the docstring's formula says."""
    source = "a photo of a horse"
    for name, values in pipe.unet.named_parameters():  # untrained, it hardly listens to the text
        if name.endswith(("attn2.to_v.weight", "attn2.to_out.0.weight")):
            values.data *= 6
    teacher = copy.deepcopy(pipe.unet)
    distil(
        pipe,
        [(source, goal)],
        ["star at night"],
        examples.latents,
        TrainingPlan(80, 1e-2, 4, "cross-attention"),
        repel=repel,
    )
    generator = torch.Generator().manual_seed(5)
    noisy = DDPMScheduler.from_config(pipe.scheduler.config).add_noise(
        examples.latents, torch.randn((2, 4, 8, 8), generator=generator), torch.tensor([500, 500])
    )

    @torch.no_grad()
    def predicted(unet, text):
        return unet(noisy, 500, states(pipe, [text] * 2)).sample

    aim = predicted(teacher, goal) + repel * (predicted(teacher, goal) - predicted(teacher, source))
    before = (predicted(teacher, source) - aim).square().mean()
    assert (predicted(pipe.unet, source) - aim).square().mean() < 0.5 * before
