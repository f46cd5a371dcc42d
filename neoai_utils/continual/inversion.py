"""DeepInversion: pictures of the old classes, painted by the network itself (Yin et al. 2020, 1912.08795).

Every BatchNorm layer remembers mean and variance of the features of its training pictures. Noise is optimised until the
network calls it class c and its features have those means and variances. No old picture is needed. Such a picture looks
like nothing much, but the network's features react to it as to the old classes' pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.continual import checkpoint

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["invert", "total_variation"]


class _StatisticsLoss:
    """A forward hook that notes how far a BatchNorm layer's input is from the remembered mean and variance."""

    def __init__(self) -> None:
        self.value = torch.zeros(())

    def __call__(self, layer: nn.BatchNorm2d, inputs: tuple[Tensor, ...], _output: Any) -> None:
        mean = inputs[0].mean(dim=(0, 2, 3))
        spread = inputs[0].var(dim=(0, 2, 3), unbiased=False)
        assert layer.running_mean is not None  # noqa: S101 - for the type checker # nosec B101
        assert layer.running_var is not None  # noqa: S101 - they track it # nosec B101
        scale = layer.running_var + layer.eps
        self.value = (
            functional.mse_loss(mean / scale.sqrt(), layer.running_mean / scale.sqrt())
            + functional.mse_loss(spread / scale, layer.running_var / scale)
        )  # fmt: skip


def invert(
    model: TinyVit,
    classes: Sequence[int],
    side: int,
    *,
    steps: int = 150,
    rate: float = 0.05,
    statistics: float = 1.0,
    smoothness: float = 0.05,
    seed: int = 0,
) -> Tensor:
    """Return one invented picture for each entry of `classes`, (n, 3, side, side) uint8.

    Args:
        model: the teacher.
        classes: the class of each picture; many at once, because the statistics are those of the whole batch.
        side: pixels along a side.
        steps: of Adam.
        rate: of Adam.
        statistics: weight of the BatchNorm statistics beside the cross-entropy.
        smoothness: weight of the total variation.
        seed: of the noise, shifts and flips.
    """
    teacher = checkpoint.clone(model).requires_grad_(False)
    device = next(teacher.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    pictures = (torch.randn(len(classes), 3, side, side, generator=generator) * 0.2).to(device).requires_grad_(True)
    goal = torch.as_tensor(list(classes), device=device)
    layers = [module for module in teacher.modules() if isinstance(module, nn.BatchNorm2d)]
    losses = [_StatisticsLoss() for _ in layers]
    hooks = [layer.register_forward_hook(loss) for layer, loss in zip(layers, losses, strict=True)]
    optimiser = torch.optim.Adam([pictures], rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for _ in range(steps):
        dx, dy = torch.randint(-2, 3, (2,), generator=generator).tolist()
        seen = pictures.roll((dx, dy), (2, 3))
        logits = teacher(seen.flip(3) if torch.rand((), generator=generator) < 0.5 else seen)
        remembered = torch.stack([loss.value for loss in losses]).sum()
        objective = functional.cross_entropy(logits, goal) + statistics * remembered
        optimiser.zero_grad()
        (objective + smoothness * total_variation(pictures)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            pictures.clamp_(-0.5, 0.5)
    for hook in hooks:
        hook.remove()
    return ((pictures.detach() + 0.5) * 255).round().to(torch.uint8).cpu()


def total_variation(pictures: Tensor) -> Tensor:
    """Return the mean absolute difference of neighbouring pixels, for (n, channels, height, width)."""
    return pictures.diff(dim=2).abs().mean() + pictures.diff(dim=3).abs().mean()
