"""Fine-tuning with distillation: one loop for the organisers' recipe, the published one and the better ones.

The loss is alpha * CE(labels) + (1 - alpha) * T^2 * KL(teacher_T || student_T), "learning without forgetting"
(Li and Hoiem 2016, 1606.09282). The teacher is the network as it was given; it reads the same augmented pictures in
evaluation mode. A plan sets which logits are distilled, whether BatchNorm statistics are frozen, which parameters are
trained, and the learning rates. A batch that would not fit into memory is learnt in parts whose gradients add up to
the batch's (`cost`). Under `accelerate launch` the processes share each batch; a BatchNorm that is not
frozen then normalises each process's share on its own.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neoai_utils.continual import checkpoint, cost
from neoai_utils.continual.augmentation import augment, deform
from neoai_utils.continual.inference import Pixels, normalised
from neoai_utils.continual.optimizer import adamw, cosine
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import fitting_torchao, own_rows, progress

if TYPE_CHECKING:
    from accelerate import Accelerator
    from timm.models.tiny_vit import TinyVit

__all__ = ["distillation", "fine_tune", "freeze_norm"]


@dataclass(frozen=True)
class _Run:
    """What one run of fine-tuning learns from, and how.

    Attributes:
        plan: learning rates, losses, trained parameters.
        accelerator: moves tensors and gradients between devices and processes.
        images: (n, 3, side, side) uint8 labelled pictures.
        labels: (n,) int64 classes, on the training device.
        teacher: the network to distil from, if any.
        columns: the classes whose logits are distilled.
        replay: (m, 3, side, side) uint8 further pictures, without labels, if any.
        at_once: pictures that one backward pass may hold; None: measure it.
    """

    plan: TrainingPlan
    accelerator: Accelerator
    images: Tensor
    labels: Tensor
    teacher: TinyVit | None
    columns: list[int]
    replay: Tensor | None
    at_once: int | None


def fine_tune(
    model: TinyVit,
    pixels: Pixels,
    classes: Sequence[int] | Tensor,
    plan: TrainingPlan,
    *,
    teacher: TinyVit | None = None,
    old: Sequence[int] = (),
    replay: Pixels | None = None,
    seed: int = 0,
    watch: Callable[[int, TinyVit], None] | None = None,
    at_once: int | None = None,
) -> TinyVit:
    """Return a fine-tuned copy of a network, in evaluation mode.

    Args:
        model: the initial network; unchanged.
        pixels: (n, 3, side, side) uint8 pictures.
        classes: (n,) their classes.
        plan: learning rates, losses, trained parameters.
        teacher: the network to distil from; needed if `plan.alpha` is below 1.
        old: classes without pictures; needed for `distil="old"`.
        replay: (m, 3, side, side) uint8 further pictures, which take part in the distillation only; each step adds as
            many of them as it has labelled pictures.
        seed: of order, augmentation and dropout.
        watch: called with (epochs done, network) after each epoch; may evaluate it.
        at_once: pictures that one backward pass may hold; None: as many as fit into memory. Larger batches are split
            where BatchNorm is frozen; else they stay whole, because its statistics are those of the batch.

    Raises:
        ParameterError: the teacher or the old classes that the plan needs are missing, or the lengths differ.
    """
    from accelerate import Accelerator

    labels = torch.from_numpy(np.array(classes, dtype=np.int64))
    _check(plan, len(pixels), labels, teacher, old)
    student = checkpoint.clone(model)
    accelerator = Accelerator(cpu=next(student.parameters()).device.type == "cpu")
    run = _Run(
        plan,
        accelerator,
        images=torch.as_tensor(pixels),
        labels=labels.to(accelerator.device),
        teacher=None if teacher is None else teacher.to(accelerator.device),
        columns=list(old) if plan.distil == "old" else list(range(student.num_classes)),
        replay=None if replay is None else torch.as_tensor(replay),
        at_once=at_once,
    )
    with _seeded(seed):
        adapted = _with_lora(student, plan.rank) if plan.trained == "lora" else None
    with _seeded(seed):
        _train(student, run, torch.Generator().manual_seed(seed), watch)
    if adapted is not None:
        with fitting_torchao():
            student = adapted.merge_and_unload()
    return checkpoint.clone(student)


def _train(
    student: TinyVit, run: _Run, generator: torch.Generator, watch: Callable[[int, TinyVit], None] | None
) -> None:
    """Train a student in place."""
    plan, accelerator = run.plan, run.accelerator
    optimizer = adamw(student, plan)
    _training_mode(student, plan)
    most = _at_once(student, run)
    steps = plan.epochs * math.ceil(len(run.images) / plan.batch_size)
    schedule = cosine(optimizer, steps)
    prepared, optimizer = accelerator.prepare(student, optimizer)
    for rows, ended in progress(_epochs(run, generator), "fine-tuning", steps):
        views = _views(run, rows, generator)
        optimizer.zero_grad()
        for part in torch.arange(len(rows)).tensor_split(math.ceil(len(views) / most)):
            accelerator.backward(_loss(prepared, run, rows, views, part) * (len(part) / len(rows)))
        accelerator.clip_grad_norm_(student.parameters(), plan.max_norm)
        optimizer.step()
        schedule.step()
        if ended and watch is not None:
            watch(ended, student.eval())
            _training_mode(student, plan)


def _epochs(run: _Run, generator: torch.Generator) -> Iterator[tuple[Tensor, int]]:
    """Yield the rows of each batch and, with the last batch of an epoch, the number of epochs done, else 0."""
    for epoch in range(run.plan.epochs):
        batches = _batches(torch.randperm(len(run.images), generator=generator), run.plan.batch_size)
        for number, rows in enumerate(batches, start=1):
            yield rows, (epoch + 1 if number == len(batches) else 0)


def _at_once(student: TinyVit, run: _Run) -> int:
    """Return how many pictures a backward pass may hold; without limit where BatchNorm needs the whole batch."""
    if not (run.plan.frozen_norm or run.plan.trained == "head"):
        return sys.maxsize
    picture = normalised(run.images[:1]).to(run.accelerator.device)
    return run.at_once or cost.pictures_at_once(lambda: student(picture), student)


def _views(run: _Run, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Return the augmented pictures of some rows, then as many of the replay, (batch, 3, side, side) float32."""
    images = run.images[rows]
    if run.replay is not None:
        drawn = torch.randint(len(run.replay), (len(rows),), generator=generator)
        images = torch.cat([images, run.replay[drawn]])
    views = augment(normalised(images).to(run.accelerator.device), generator)
    return deform(views, generator) if run.plan.deform else views


def _loss(student: nn.Module, run: _Run, rows: Tensor, views: Tensor, part: Tensor) -> Tensor:
    """Return the loss of this process's share of a part of a batch, (n,) positions in `rows`."""
    share = part[own_rows(run.accelerator, len(part))]
    views = views[torch.cat([share + start for start in range(0, len(views), len(rows))])]
    logits = student(views)
    loss = run.plan.alpha * functional.cross_entropy(logits[: len(share)], run.labels[rows[share]])
    if run.teacher is None or run.plan.alpha == 1:
        return loss
    with torch.no_grad():
        target = run.teacher(views)
    distilled = distillation(logits[:, run.columns], target[:, run.columns], run.plan.temperature)
    return loss + (1 - run.plan.alpha) * distilled


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Return T^2 * KL(teacher || student) of logits (batch, classes) softened by T, the batch's mean (1503.02531)."""
    soft = functional.log_softmax(student / temperature, dim=1)
    target = functional.log_softmax(teacher / temperature, dim=1)
    return temperature**2 * functional.kl_div(soft, target, reduction="batchmean", log_target=True)


def freeze_norm(model: nn.Module) -> None:
    """Let BatchNorm layers normalise with their running statistics and stop updating these."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch's random numbers on the CPU for a block; afterwards they continue as if it had not run."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """Split into batches; a last batch of one joins the one before it, as BatchNorm cannot normalise one picture."""
    parts = list(torch.split(order, size))
    if len(parts) > 1 and len(parts[-1]) == 1:
        parts[-2:] = [torch.cat(parts[-2:])]
    return parts


def _training_mode(student: TinyVit, plan: TrainingPlan) -> None:
    student.train()
    if plan.frozen_norm or plan.trained == "head":
        freeze_norm(student)


def _with_lora(student: TinyVit, rank: int) -> Any:
    """Add low-rank changes to the transformer blocks' linear layers, in place; return peft's wrapper."""
    with fitting_torchao():
        from peft import LoraConfig, get_peft_model

        targets = ["qkv", "proj", "fc1", "fc2"]
        return get_peft_model(student, LoraConfig(r=rank, lora_alpha=rank, target_modules=targets))


def _check(plan: TrainingPlan, count: int, labels: Tensor, teacher: TinyVit | None, old: Sequence[int]) -> None:
    if len(labels) != count:
        raise ParameterError(f"{count} pictures but {len(labels)} classes.")
    if plan.alpha < 1 and teacher is None:
        raise ParameterError("alpha below 1 distils and needs a teacher.")
    if plan.alpha < 1 and plan.distil == "old" and not len(old):
        raise ParameterError('distil="old" needs the old classes.')
