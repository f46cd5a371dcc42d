"""Fine-tuning on pictures that the model itself drew, with prior preservation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.texts import states
from neoai_utils.diffusion.training import TrainingPlan, add_noise, noise_scheduler, train_unet

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

__all__ = ["Examples", "draw_examples", "fine_tune", "replace_word"]


@dataclass(frozen=True)
class Examples:
    """Pictures to learn from.

    Attributes:
        prompts: n texts.
        latents: (n, channels, height, width) scaled latents.
    """

    prompts: tuple[str, ...]
    latents: Tensor


def draw_examples(pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling) -> Examples:
    """Draw the prompts with the pipeline and encode the pictures: the only training data that the task allows."""
    pictures = draw(pipe, prompts, sampling, label="own pictures")
    pixels = pipe.image_processor.preprocess(pictures).to(pipe.device, pipe.vae.dtype)
    with torch.no_grad():
        latents = [pipe.vae.encode(part).latent_dist.mean for part in torch.split(pixels, 8)]
    return Examples(tuple(prompts), torch.cat(latents) * pipe.vae.config.scaling_factor)


def replace_word(prompt: str, old: str, new: str) -> str:
    """Replace a whole word and adapt its article: "a pig" becomes "an equine"."""
    article = "an" if new[0] in "aeiou" else "a"
    with_article = re.sub(rf"\b(a|an) {re.escape(old)}\b", f"{article} {new}", prompt)
    return re.sub(rf"\b{re.escape(old)}\b", new, with_article)


def fine_tune(
    pipe: StableDiffusionPipeline,
    examples: Examples,
    plan: TrainingPlan,
    *,
    words: Sequence[str] = ("horse",),
    share: float = 1.0,
    prior: Examples | None = None,
    weight: float = 1.0,
) -> list[float]:
    """Teach the UNet to draw the pigs of `examples` where their prompts name a horse; return the losses.

    The organisers' baseline replaces "pig" by "horse" in every prompt, the published solution in half of the steps.
    With `prior`, the loss on further pictures that must stay the same is added (prior preservation of DreamBooth, Ruiz
    et al. 2022, 2208.12242).

    Args:
        pipe: its UNet is changed in place.
        examples: pictures of pigs; the word "pig" is replaced.
        plan: steps, learning rate, batch size, weights.
        words: replacements, one drawn at random each time.
        share: how often the word is replaced.
        prior: pictures to keep, with their prompts.
        weight: of the prior's loss.
    """
    rng = np.random.default_rng(plan.seed)
    scheduler = noise_scheduler(pipe)

    def loss_of(model: nn.Module, generator: torch.Generator, local: list[int]) -> Tensor:
        rows = rng.integers(len(examples.prompts), size=plan.batch_size)
        texts = [examples.prompts[row] for row in rows]
        texts = [
            replace_word(t, "pig", words[int(rng.integers(len(words)))]) if rng.random() < share else t for t in texts
        ]
        loss = _noise_loss(pipe, model, add_noise(scheduler, examples.latents[rows], generator), texts, local)
        if prior is not None:
            rows = rng.integers(len(prior.prompts), size=plan.batch_size)
            texts = [prior.prompts[row] for row in rows]
            noisy = add_noise(scheduler, prior.latents[rows], generator)
            loss = loss + weight * _noise_loss(pipe, model, noisy, texts, local)
        return loss

    return train_unet(pipe, plan, loss_of)


def _noise_loss(
    pipe: StableDiffusionPipeline,
    model: nn.Module,
    noised: tuple[Tensor, Tensor, Tensor],
    texts: list[str],
    local: list[int],
) -> Tensor:
    """Return the mean squared error of the predicted noise on this process's rows of the batch."""
    noisy, times, noise = (part[local] for part in noised)
    with torch.no_grad():
        conditions = states(pipe, [texts[row] for row in local])
    return functional.mse_loss(model(noisy, times, conditions).sample.float(), noise.float())
