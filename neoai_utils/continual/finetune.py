"""Fine-tuning with distillation: one loop for the organisers' recipe, the published one and the better ones.

The loss is alpha * CE(labels) + (1 - alpha) * T^2 * KL(teacher_T || student_T), "learning without forgetting"
(Li and Hoiem 2016, 1606.09282). The teacher is the network as it was given; it reads the same augmented pictures, but
in evaluation mode. What may vary is which logits are distilled, whether BatchNorm statistics are frozen, which
parameters learn, and at which rates. Under `accelerate launch` the processes share each batch; a BatchNorm that is not
frozen then normalises each part by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.continual import checkpoint
from neoai_utils.continual.inference import Pixels, normalised
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import fitting_torchao, own_rows

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["Plan", "augment", "deform", "distillation", "fine_tune", "freeze_norm"]


@dataclass(frozen=True)
class Plan:
    """How to fine-tune.

    Attributes:
        epochs: passes over the pictures.
        rate: AdamW's highest rate; it falls along a cosine to a fiftieth.
        head_rate: rate of the last linear layer; None: the same.
        clip: greatest norm of the gradient.
        alpha: share of the labels' loss; the rest is distillation. 1 needs no teacher.
        temperature: of the distillation.
        distil: "all" logits, or only the "old" classes'.
        frozen_norm: keep BatchNorm's running statistics and normalise with them.
        deform: also turn, zoom and shift the pictures at random (`deform`).
        part: which parameters learn: "all", the "head" (last linear layer), or "lora": the head and low-rank changes
            W + BA to the transformer blocks' linear layers (Hu et al. 2021, 2106.09685).
        rank: of B and A.
        batch: pictures per step.
    """

    epochs: int = 100
    rate: float = 5e-5
    head_rate: float | None = None
    clip: float = 1.0
    alpha: float = 1.0
    temperature: float = 4.0
    distil: Literal["all", "old"] = "all"
    frozen_norm: bool = False
    deform: bool = False
    part: Literal["all", "head", "lora"] = "all"
    rank: int = 8
    batch: int = 64

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        if not 0 <= self.alpha <= 1:
            raise ParameterError(f"alpha must be between 0 and 1, got {self.alpha}.")
        if self.epochs < 0 or self.batch < 1:
            raise ParameterError("epochs must be 0 or more, batch 1 or more.")
        if min(self.rate, self.clip, self.temperature, self.head_rate or 1.0) <= 0:
            raise ParameterError("rate, head_rate, clip and temperature must be positive.")


def fine_tune(
    model: TinyVit,
    pixels: Pixels,
    classes: Sequence[int] | Tensor,
    plan: Plan,
    *,
    teacher: TinyVit | None = None,
    old: Sequence[int] = (),
    replay: Pixels | None = None,
    seed: int = 0,
    watch: Callable[[int, TinyVit], None] | None = None,
) -> TinyVit:
    """Return a fine-tuned copy of a network, in evaluation mode.

    Args:
        model: where to start; unchanged.
        pixels: (n, 3, side, side) uint8 pictures.
        classes: (n,) their classes.
        plan: rates, losses, parts.
        teacher: the network to distil from; needed if `plan.alpha` is below 1.
        old: classes without pictures; needed for `distil="old"`.
        replay: further pictures (m, 3, side, side), uint8, for which only the teacher answers; as many as real ones
            are mixed into each step.
        seed: of order, augmentation and dropout.
        watch: called with (epochs done, network) after each epoch; may evaluate it.

    Raises:
        ParameterError: the teacher or the old classes that the plan needs are missing, or the lengths differ.
    """
    from accelerate import Accelerator

    labels = torch.from_numpy(np.array(classes, dtype=np.int64))
    _check(plan, len(pixels), labels, teacher, old)
    student = checkpoint.clone(model)
    accelerator = Accelerator(cpu=next(student.parameters()).device.type == "cpu")
    device = accelerator.device
    teacher = None if teacher is None else teacher.to(device)
    images, labels = torch.as_tensor(pixels), labels.to(device)
    extra = None if replay is None else torch.as_tensor(replay)
    chosen = list(old) if plan.distil == "old" else list(range(student.num_classes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        adapted = _with_lora(student, plan.rank) if plan.part == "lora" else None
    optimiser = _optimiser(student, plan)
    schedule = _cosine(optimiser, plan.epochs * math.ceil(len(images) / plan.batch))
    generator = torch.Generator().manual_seed(seed)
    prepared, optimiser = accelerator.prepare(student, optimiser)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(plan.epochs):
            _training_mode(student, plan)
            order = torch.randperm(len(images), generator=generator)
            for rows in _batches(order, plan.batch):
                batch = images[rows]
                if extra is not None:
                    batch = torch.cat([batch, extra[torch.randint(len(extra), (len(rows),), generator=generator)]])
                views = augment(normalised(batch), generator)
                views = deform(views, generator) if plan.deform else views
                mine = own_rows(accelerator, len(rows))
                views = views[[start + row for start in range(0, len(views), len(rows)) for row in mine]].to(device)
                logits = prepared(views)
                loss = plan.alpha * functional.cross_entropy(logits[: len(mine)], labels[rows[mine]])
                if teacher is not None and plan.alpha < 1:
                    with torch.no_grad():
                        goal = teacher(views)
                    lesson = distillation(logits[:, chosen], goal[:, chosen], plan.temperature)
                    loss = loss + (1 - plan.alpha) * lesson
                optimiser.zero_grad()
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(student.parameters(), plan.clip)
                optimiser.step()
                schedule.step()
            if watch is not None:
                watch(epoch + 1, student.eval())
    if adapted is not None:
        with fitting_torchao():
            student = adapted.merge_and_unload()
    return checkpoint.clone(student)


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Split into batches; a last batch of one joins the one before it, for BatchNorm cannot normalise one picture."""
    parts = list(torch.split(order, size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 * KL(teacher || student) of logits (batch, classes) softened by T, the batch's mean (1503.02531)."""
    soft = functional.log_softmax(student / temperature, dim=1)
    goal = functional.log_softmax(teacher / temperature, dim=1)
    return temperature**2 * functional.kl_div(soft, goal, reduction="batchmean", log_target=True)


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return (n, 3, side, side) pictures, each mirrored or not, with a little other contrast and brightness."""
    flipped = torch.rand(len(images), generator=generator) < 0.5
    images = torch.where(flipped[:, None, None, None], images.flip(3), images)
    contrast, brightness = torch.rand(2, len(images), 1, 1, 1, generator=generator) - 0.5
    return torch.add(images * (1 + 0.4 * contrast), brightness, alpha=0.2)


def deform(images: Tensor, generator: torch.Generator, turn: float = 0.2, zoom: float = 0.15) -> Tensor:
    """Return (n, channels, side, side) pictures, each turned, zoomed along both axes and shifted a little.

    Args:
        images: the pictures; what comes in from outside repeats their border.
        generator: of the random numbers.
        turn: greatest angle in radians.
        zoom: greatest change of either side's length; the shift reaches half as far.
    """
    angle, across, down, right, low = (2 * torch.rand(5, len(images), generator=generator) - 1) * turn
    reach = zoom / turn
    across, down, right, low = 1 + reach * across, 1 + reach * down, reach * right / 2, reach * low / 2
    first = torch.stack([across * angle.cos(), -across * angle.sin(), right], dim=1)
    second = torch.stack([down * angle.sin(), down * angle.cos(), low], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def freeze_norm(model: nn.Module) -> None:
    """Let BatchNorm layers normalise with their running statistics and stop updating these."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _training_mode(student: TinyVit, plan: Plan) -> None:
    student.train()
    if plan.frozen_norm or plan.part == "head":
        freeze_norm(student)


def _with_lora(student: TinyVit, rank: int) -> Any:
    """Give the transformer blocks' linear layers low-rank changes, in place; return peft's handle on them."""
    with fitting_torchao():
        from peft import LoraConfig, get_peft_model

        targets = ["qkv", "proj", "fc1", "fc2"]
        return get_peft_model(student, LoraConfig(r=rank, lora_alpha=rank, target_modules=targets))


def _check(plan: Plan, count: int, labels: Tensor, teacher: TinyVit | None, old: Sequence[int]) -> None:
    if len(labels) != count:
        raise ParameterError(f"{count} pictures but {len(labels)} classes.")
    if plan.alpha < 1 and teacher is None:
        raise ParameterError("alpha below 1 distils and needs a teacher.")
    if plan.alpha < 1 and plan.distil == "old" and not len(old):
        raise ParameterError('distil="old" needs the old classes.')


def _optimiser(student: TinyVit, plan: Plan) -> torch.optim.Optimizer:
    head = {id(values) for values in student.head.fc.parameters()}
    for name, values in student.named_parameters():
        chosen = plan.part == "all" or (plan.part == "lora" and "lora_" in name)
        values.requires_grad_(chosen or id(values) in head)
    body = [values for values in student.parameters() if values.requires_grad and id(values) not in head]
    groups = [{"params": list(student.head.fc.parameters()), "lr": plan.head_rate or plan.rate}]
    return torch.optim.AdamW(groups + ([{"params": body}] if body else []), lr=plan.rate, fused=True)


def _cosine(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    floor = 0.02
    return torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: floor + (1 - floor) * (1 + math.cos(math.pi * step / max(steps, 1))) / 2
    )
