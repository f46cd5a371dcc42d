"""How long drawing takes on a processor, told before it starts.

Stable Diffusion 1.5 needs about 1.4e12 multiplications and additions a step with guidance: some 7 s on four cores, and
220 s for a picture of 30 steps. A T4 needs some 6 s for a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from neoai_utils.diffusion.texts import states
from neoai_utils.runtime import LONG_HOURS, announce_hours, stopwatch

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

    from neoai_utils.diffusion.generation import Sampling

__all__ = ["announce", "shorter"]


@torch.no_grad()
def announce(pipe: StableDiffusionPipeline, sampling: Sampling, pictures: int) -> None:
    """Print the hours that drawing takes, and how to take fewer, if they are too many (`runtime.LONG_HOURS`).

    One step and one decoding are measured. On a GPU nothing is measured or printed.

    Args:
        pipe: the pipeline.
        sampling: the number of steps; PNDM evaluates the network once more.
        pictures: to be drawn in the whole run.
    """
    if pipe.device.type != "cpu":
        return
    config = pipe.unet.config
    noise = torch.zeros((1, config.in_channels, config.sample_size, config.sample_size), dtype=pipe.unet.dtype)
    with stopwatch() as step:
        pipe.unet(torch.cat([noise, noise]), 500, states(pipe, ["", ""]))
    with stopwatch() as decoding:
        pipe.vae.decode(noise)
    hours = pictures * ((sampling.steps + 1) * step.seconds + decoding.seconds) / 3600
    steps, left = shorter(step.seconds, decoding.seconds, pictures)
    remedy = f"Turn on a GPU, or set the parameter steps to {steps}: about {left:.0f} hours, with coarser pictures."
    announce_hours(f"drawing {pictures} pictures of {sampling.steps} steps takes", hours, remedy)


def shorter(step: float, decoding: float, pictures: int) -> tuple[int, float]:
    """Return the most steps, at least one, with which pictures take at most `LONG_HOURS`, and their hours.

    Args:
        step: seconds of one evaluation of the network; a picture takes one more than it has steps.
        decoding: seconds of one decoding.
        pictures: to be drawn.
    """
    steps = max(1, int((LONG_HOURS * 3600 / pictures - decoding) / step) - 1)
    return steps, pictures * ((steps + 1) * step + decoding) / 3600
