"""Edits by gradient steps on the UNet: fine-tuning on own pictures, and distillation from the unedited network.

All loops are accelerate's, so they run as they are on one processor, on a GPU, or on several under
`accelerate launch`; each process then reads its part of the same batch and the gradients are averaged.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.diffusion.generation import Sampling, draw
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import fitting_torchao, own_rows

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

__all__ = ["Examples", "Schedule", "Trained", "distil", "fine_tune", "own_examples", "replace_word", "trained_weights"]

Trained = Literal["all", "cross-attention", "lora"]
_MIXED = {torch.float16: "fp16", torch.bfloat16: "bf16"}
_LORA_RANK = 16
_LORA_LAYERS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        steps: gradient steps.
        rate: learning rate of AdamW, constant.
        batch: rows in a step.
        trained: which weights: all of the UNet, its cross-attention's keys and values, or low-rank additions to its
            cross-attention (LoRA, Hu et al. 2021, 2106.09685), which are merged in at the end.
        seed: of rows, noise and times.
    """

    steps: int
    rate: float
    batch: int = 1
    trained: Trained = "all"
    seed: int = 0


@dataclass(frozen=True)
class Examples:
    """Pictures to learn from.

    Attributes:
        prompts: n texts.
        latents: (n, channels, height, width) scaled latents.
    """

    prompts: tuple[str, ...]
    latents: Tensor


def own_examples(pipe: StableDiffusionPipeline, prompts: Sequence[str], sampling: Sampling) -> Examples:
    """Let the pipeline draw the prompts, and encode what it drew: the only training data that the task allows."""
    pictures = draw(pipe, prompts, sampling, label="own pictures")
    pixels = pipe.image_processor.preprocess(pictures).to(pipe.device, pipe.vae.dtype)
    with torch.no_grad():
        found = [pipe.vae.encode(part).latent_dist.mean for part in torch.split(pixels, 8)]
    return Examples(tuple(prompts), torch.cat(found) * pipe.vae.config.scaling_factor)


def replace_word(prompt: str, old: str, new: str) -> str:
    """Replace a word where it stands as a whole word, mending the article: "a pig" becomes "an equine"."""
    article = "an" if new[0] in "aeiou" else "a"
    with_article = re.sub(rf"\b(a|an) {re.escape(old)}\b", f"{article} {new}", prompt)
    return re.sub(rf"\b{re.escape(old)}\b", new, with_article)


# ---------------------------------------------------------------------------------------------------- the two losses


def fine_tune(
    pipe: StableDiffusionPipeline,
    examples: Examples,
    schedule: Schedule,
    *,
    words: Sequence[str] = ("horse",),
    share: float = 1.0,
    prior: Examples | None = None,
    weight: float = 1.0,
) -> list[float]:
    """Teach the UNet to draw the pigs of `examples` where their prompts name a horse; return the losses.

    The organisers' baseline replaces "pig" by "horse" in every prompt, the published solution in half of the steps.
    With `prior`, the loss on further pictures is added that shall stay as they are (prior preservation of DreamBooth,
    Ruiz et al. 2022, 2208.12242).

    Args:
        pipe: its UNet is changed in place.
        examples: pictures of pigs; the word "pig" is replaced.
        schedule: steps, rate, batch.
        words: what replaces it, one at random.
        share: how often it is replaced.
        prior: pictures to keep, with their own prompts.
        weight: of the prior's loss.
    """
    rng = np.random.default_rng(schedule.seed)
    noising = _noising(pipe)

    def loss_of(model: nn.Module, generator: torch.Generator, mine: list[int]) -> Tensor:
        rows = rng.integers(len(examples.prompts), size=schedule.batch)
        said = [examples.prompts[row] for row in rows]
        said = [
            replace_word(t, "pig", words[int(rng.integers(len(words)))]) if rng.random() < share else t for t in said
        ]
        loss = _noise_loss(pipe, model, _noised(noising, examples.latents[rows], generator), said, mine)
        if prior is not None:
            rows = rng.integers(len(prior.prompts), size=schedule.batch)
            kept = [prior.prompts[row] for row in rows]
            noised = _noised(noising, prior.latents[rows], generator)
            loss = loss + weight * _noise_loss(pipe, model, noised, kept, mine)
        return loss

    return _optimise(pipe, schedule, loss_of)


def _noise_loss(
    pipe: StableDiffusionPipeline,
    model: nn.Module,
    noised: tuple[Tensor, Tensor, Tensor],
    said: list[str],
    mine: list[int],
) -> Tensor:
    noisy, times, noise = (part[mine] for part in noised)
    found = model(noisy, times, _states(pipe, [said[row] for row in mine])).sample
    return functional.mse_loss(found.float(), noise.float())


def distil(
    pipe: StableDiffusionPipeline,
    pairs: Sequence[tuple[str, str]],
    keep: Sequence[str],
    seen: Tensor,
    schedule: Schedule,
    *,
    repel: float = 0.0,
    weight: float = 1.0,
) -> list[float]:
    """Teach the UNet to predict for one prompt what the unedited UNet predicts for another; return the losses.

    With pairs (horse prompt, pig prompt) this is concept ablation in its model-based form (Kumari et al. 2023,
    2303.13516). With pairs (horse prompt, "") and `repel` above 0 it is ESD (Gandikota et al. 2023, 2303.07345), which
    erases without saying what shall come instead. In general the goal is

        eps(goal) + repel (eps(goal) - eps(source)),

    and for the prompts to keep, and as often, what was predicted before.

    Args:
        pipe: its UNet is changed in place.
        pairs: (source prompt, goal prompt).
        keep: prompts that shall be drawn as before.
        seen: (n, channels, height, width) scaled latents to which noise is added; any pictures serve.
        schedule: steps, rate, batch.
        repel: how far beyond the goal to go, away from the source.
        weight: of the loss on the prompts to keep.
    """
    rng = np.random.default_rng(schedule.seed)
    teacher = copy.deepcopy(pipe.unet).requires_grad_(False)
    noising = _noising(pipe)

    def loss_of(model: nn.Module, generator: torch.Generator, mine: list[int]) -> Tensor:
        chosen = [pairs[row] for row in rng.integers(len(pairs), size=schedule.batch)]
        kept = [keep[row] for row in rng.integers(len(keep), size=schedule.batch)]
        noisy, times, _ = _noised(noising, seen[rng.integers(len(seen), size=2 * schedule.batch)], generator)
        noisy, times = (part[mine + [schedule.batch + row for row in mine]] for part in (noisy, times))
        said = ([chosen[row][0] for row in mine], [chosen[row][1] for row in mine], [kept[row] for row in mine])
        source, goal, same = (_states(pipe, texts) for texts in said)
        half = len(mine)
        with torch.no_grad():
            aim = teacher(noisy, times, torch.cat([goal, same])).sample.float()
            if repel:
                before = teacher(noisy[:half], times[:half], source).sample.float()
                aim[:half] += repel * (aim[:half] - before)
        found = model(noisy, times, torch.cat([source, same])).sample.float()
        return functional.mse_loss(found[:half], aim[:half]) + weight * functional.mse_loss(found[half:], aim[half:])

    return _optimise(pipe, schedule, loss_of)


@torch.no_grad()
def _states(pipe: StableDiffusionPipeline, prompts: list[str]) -> Tensor:
    return states(pipe, prompts)


def _noising(pipe: StableDiffusionPipeline) -> Any:
    from diffusers import DDPMScheduler

    if pipe.scheduler.config.prediction_type != "epsilon":
        raise ParameterError(f"the network must predict noise (epsilon), not {pipe.scheduler.config.prediction_type}.")
    return DDPMScheduler.from_config(pipe.scheduler.config)


def _noised(noising: Any, latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, their times and the noise; random numbers come from the CPU, the same everywhere."""
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    times = torch.randint(noising.config.num_train_timesteps, (len(latents),), generator=generator).to(latents.device)
    return noising.add_noise(latents, noise, times), times, noise


# -------------------------------------------------------------------------------------------------------- the one loop


class _Shell(nn.Module):
    """Hands all on to a network. Accelerate changes what it prepares, for good: this, and not the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)


def _optimise(
    pipe: StableDiffusionPipeline,
    schedule: Schedule,
    loss_of: Callable[[nn.Module, torch.Generator, list[int]], Tensor],
) -> list[float]:
    """Take the schedule's steps on the UNet's chosen weights, in place; return each step's loss."""
    from accelerate import Accelerator

    if schedule.steps < 1 or schedule.batch < 1:
        raise ParameterError(f"need at least one step and one row, got {schedule.steps} and {schedule.batch}.")
    mixed = _MIXED.get(pipe.unet.dtype, "no")  # a half-precision network is trained in fp32 where it changes
    accelerator = Accelerator(cpu=pipe.device.type == "cpu", mixed_precision=mixed)
    generator = torch.Generator().manual_seed(schedule.seed)
    mine = own_rows(accelerator, schedule.batch)
    losses = []
    with trained_weights(pipe.unet, schedule.trained) as weights:
        optimiser = torch.optim.AdamW(weights, schedule.rate, fused=True)
        model, optimiser = accelerator.prepare(_Shell(pipe.unet), optimiser)
        for _ in range(schedule.steps):
            loss = loss_of(model, generator, mine)
            optimiser.zero_grad()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            losses.append(accelerator.reduce(loss.detach(), "mean").item())
    return losses


@contextmanager
def trained_weights(unet: UNet2DConditionModel, trained: Trained) -> Iterator[list[nn.Parameter]]:
    """Unfreeze the chosen weights, in fp32, while the block of the `with` statement runs.

    Low-rank additions are put in at the start and merged into the weights at the end.
    """
    kind = unet.dtype
    unet.requires_grad_(False)
    if trained == "lora":
        _add_lora(unet)
        chosen = {name: values for name, values in unet.named_parameters() if "lora_" in name}
    else:
        ends = ("attn2.to_k.weight", "attn2.to_v.weight") if trained == "cross-attention" else ("",)
        chosen = {name: values for name, values in unet.named_parameters() if name.endswith(ends)}
    for values in chosen.values():
        values.data = values.data.float()  # half precision loses small steps
        values.requires_grad_(True)
    try:
        yield list(chosen.values())
    finally:
        unet.requires_grad_(False)
        unet.zero_grad(set_to_none=True)
        for values in chosen.values():
            values.data = values.data.to(kind)
        if trained == "lora":
            with fitting_torchao():
                unet.fuse_lora()
                unet.unload_lora()


def _add_lora(unet: UNet2DConditionModel) -> None:
    with fitting_torchao():
        from peft import LoraConfig

        unet.add_adapter(
            LoraConfig(
                r=_LORA_RANK,
                lora_alpha=_LORA_RANK,
                init_lora_weights="gaussian",
                target_modules=list(_LORA_LAYERS),
            )
        )
