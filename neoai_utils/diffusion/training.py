"""The training loop on the UNet's weights, shared by fine-tuning and distillation.

The loop uses accelerate, so it runs unchanged on one processor, on a GPU, or on several under `accelerate launch`; each
process then reads its part of the same batch, and the gradients are averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from neoai_utils.errors import ParameterError
from neoai_utils.runtime import fitting_torchao, own_rows

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline, UNet2DConditionModel

__all__ = ["TrainingPlan", "WeightGroup", "add_noise", "noise_scheduler", "train_unet", "trainable_weights"]

WeightGroup = Literal["all", "cross-attention", "lora"]
_MIXED = {torch.float16: "fp16", torch.bfloat16: "bf16"}
_LORA_RANK = 16
_LORA_LAYERS = ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0")
_ENDINGS = {"all": ("",), "cross-attention": ("attn2.to_k.weight", "attn2.to_v.weight")}


@dataclass(frozen=True)
class TrainingPlan:
    """Constants of a training run.

    Attributes:
        steps: gradient steps.
        learning_rate: of AdamW, constant.
        batch_size: rows in a step.
        weights: the trained weights: all of the UNet, its cross-attention's keys and values, or low-rank adapters of
            its cross-attention (LoRA, Hu et al. 2021, 2106.09685), which are merged in at the end.
        seed: of rows, noise and times.
    """

    steps: int
    learning_rate: float
    batch_size: int = 1
    weights: WeightGroup = "all"
    seed: int = 0


class _Wrapper(nn.Module):
    """Forwards to a network. Accelerate patches the module that it prepares for good: this one, not the network."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Any) -> Any:
        return self.network(*inputs)


def train_unet(
    pipe: StableDiffusionPipeline,
    plan: TrainingPlan,
    loss_of: Callable[[nn.Module, torch.Generator, list[int]], Tensor],
) -> list[float]:
    """Train the UNet's weights in place; return each step's loss.

    Args:
        pipe: its UNet is trained.
        plan: steps, learning rate, batch size, weights.
        loss_of: (network, generator of noise, rows of the batch that this process reads) -> scalar loss.

    Raises:
        ParameterError: the plan has no step or no row.
    """
    from accelerate import Accelerator

    if plan.steps < 1 or plan.batch_size < 1:
        raise ParameterError(f"need at least one step and one row, got {plan.steps} and {plan.batch_size}.")
    mixed = _MIXED.get(pipe.unet.dtype, "no")  # trained weights of a half-precision network are kept in fp32
    accelerator = Accelerator(cpu=pipe.device.type == "cpu", mixed_precision=mixed)
    generator = torch.Generator().manual_seed(plan.seed)
    rows = own_rows(accelerator, plan.batch_size)
    losses = []
    with trainable_weights(pipe.unet, plan.weights) as weights:
        optimizer = torch.optim.AdamW(weights, plan.learning_rate, fused=True)
        model, optimizer = accelerator.prepare(_Wrapper(pipe.unet), optimizer)
        for _ in range(plan.steps):
            loss = loss_of(model, generator, rows)
            optimizer.zero_grad()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(weights, 1.0)
            optimizer.step()
            losses.append(accelerator.reduce(loss.detach(), "mean").item())
    return losses


@contextmanager
def trainable_weights(unet: UNet2DConditionModel, group: WeightGroup) -> Iterator[list[nn.Parameter]]:
    """Unfreeze a group of weights, in fp32, within the `with` block.

    Low-rank adapters are added at the start and merged into the weights at the end.
    """
    dtype = unet.dtype
    unet.requires_grad_(False)
    if group == "lora":
        _add_lora(unet)
        trained = [values for name, values in unet.named_parameters() if "lora_" in name]
    else:
        trained = [values for name, values in unet.named_parameters() if name.endswith(_ENDINGS[group])]
    for values in trained:
        values.data = values.data.float()  # half precision loses small steps
        values.requires_grad_(True)
    try:
        yield trained
    finally:
        unet.requires_grad_(False)
        unet.zero_grad(set_to_none=True)
        for values in trained:
            values.data = values.data.to(dtype)
        if group == "lora":
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


def noise_scheduler(pipe: StableDiffusionPipeline) -> Any:
    """Return the `DDPMScheduler` that adds noise as the pipeline's UNet was trained.

    Raises:
        ParameterError: the UNet does not predict noise.
    """
    from diffusers import DDPMScheduler

    if pipe.scheduler.config.prediction_type != "epsilon":
        raise ParameterError(f"the network must predict noise (epsilon), not {pipe.scheduler.config.prediction_type}.")
    return DDPMScheduler.from_config(pipe.scheduler.config)


def add_noise(scheduler: Any, latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return noisy latents, (n, channels, height, width), their times, (n,), and the noise, in the latents' shape.

    Random numbers come from the CPU, so they are the same on every device.
    """
    noise = torch.randn(latents.shape, generator=generator).to(latents)
    count = scheduler.config.num_train_timesteps
    times = torch.randint(count, (len(latents),), generator=generator).to(latents.device)
    return scheduler.add_noise(latents, noise, times), times, noise
