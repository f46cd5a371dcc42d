"""DeepInversion: pictures of the old classes, reconstructed from the network (Yin et al. 2020, 1912.08795).

Every BatchNorm layer stores mean and variance of the features of its training pictures. Noise is optimised until the
network classifies it as class c and its features have the stored means and variances. No old picture is needed. The
results do not look like photographs, but the network's features of them are similar to those of the old pictures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.continual import checkpoint, cost
from neoai_utils.hooks import hooked
from neoai_utils.runtime import progress

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["invert", "total_variation"]

_LEARNING_RATE = 0.05
_STATISTICS = 1.0  # weight of the BatchNorm statistics beside the cross-entropy
_SMOOTHNESS = 0.05  # weight of the total variation


class _StatisticsLoss:
    """A forward hook that stores the distance of a BatchNorm layer's input from the running mean and variance."""

    def __init__(self) -> None:
        self.value = torch.zeros(())

    def __call__(self, layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...], _output: Any) -> None:
        mean = inputs[0].mean(dim=(0, 2, 3))
        variance = inputs[0].var(dim=(0, 2, 3), unbiased=False)
        assert layer.running_mean is not None  # noqa: S101 - for the type checker # nosec B101
        assert layer.running_var is not None  # noqa: S101 - they track it # nosec B101
        scale = layer.running_var + layer.eps
        self.value = (
            functional.mse_loss(mean / scale.sqrt(), layer.running_mean / scale.sqrt())
            + functional.mse_loss(variance / scale, layer.running_var / scale)
        )  # fmt: skip


def invert(
    model: TinyVit, classes: Sequence[int], side: int, *, steps: int = 150, seed: int = 0, at_once: int | None = None
) -> Tensor:
    """Return one reconstructed picture for each entry of `classes`, (n, 3, side, side) uint8.

    As many pictures are made at once as fit into memory (`cost`), because the statistics are those of a whole batch.

    Args:
        model: the teacher.
        classes: the class of each picture. Equal ones should lie far apart, so that a batch shows many classes.
        side: pixels along a side.
        steps: of Adam.
        seed: of the noise, shifts and flips.
        at_once: pictures of a batch; None: as many as fit into memory.
    """
    teacher = checkpoint.clone(model).requires_grad_(False)
    device = next(teacher.parameters()).device
    norms = [module for module in teacher.modules() if isinstance(module, nn.BatchNorm2d)]
    losses: dict[nn.Module, _StatisticsLoss] = {module: _StatisticsLoss() for module in norms}

    def objective(pictures: Tensor, target: Tensor) -> Tensor:
        logits = teacher(pictures)
        statistics = torch.stack([loss.value for loss in losses.values()]).sum()
        return functional.cross_entropy(logits, target) + _STATISTICS * statistics

    generator = torch.Generator().manual_seed(seed)
    targets = torch.as_tensor(list(classes), device=device)
    with hooked(losses):
        if at_once is None:
            blank = torch.zeros(1, 3, side, side, device=device, requires_grad=True)
            at_once = cost.pictures_at_once(lambda: objective(blank, targets[:1]), teacher)
        parts = targets.tensor_split(math.ceil(len(targets) / at_once))
        made = [_optimised(objective, part, side, steps, generator) for part in parts]
    return ((torch.cat(made) + 0.5) * 255).round().to(torch.uint8).cpu()


def _optimised(
    objective: Callable[[Tensor, Tensor], Tensor], target: Tensor, side: int, steps: int, generator: torch.Generator
) -> Tensor:
    """Return pictures of the (n,) target classes, (n, 3, side, side) float32 from -0.5 to 0.5, made from noise."""
    noise = torch.randn(len(target), 3, side, side, generator=generator) * 0.2
    pictures = noise.to(target.device).requires_grad_(True)
    optimizer = torch.optim.Adam([pictures], _LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps, 1))
    for _ in progress(range(steps), "inverting"):
        loss = objective(_jittered(pictures, generator), target) + _SMOOTHNESS * total_variation(pictures)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            pictures.clamp_(-0.5, 0.5)
    return pictures.detach()


def _jittered(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Return (n, 3, side, side) pictures, all shifted by up to two pixels and all mirrored or not."""
    shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
    shifted = pictures.roll(tuple(shift), (2, 3))
    return shifted.flip(3) if torch.rand((), generator=generator) < 0.5 else shifted


def total_variation(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, for (n, channels, height, width)."""
    return pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()
