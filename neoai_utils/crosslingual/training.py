"""Fine-tuning the joint model on a mixture of labelled utterances, with the schedule that the published code left out.

AdamW (Loshchilov and Hutter, 1711.05101), a rate that rises over the first steps and then falls to zero, and gradients
cut to a largest norm: the recipe that BERT's authors fine-tune with (1810.04805). Utterances may be changed anew each
time they are drawn, as code-switching does. Under `accelerate launch` the processes share each batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils.crosslingual.conll import Utterance
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel, loss
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import own_rows, progress, seed_everything

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Part", "Plan", "batches", "fine_tune"]


@dataclass(frozen=True)
class Part:
    """One source of training utterances.

    Attributes:
        utterances: labelled.
        share: weight among all parts; of every batch, about this share is drawn from here.
        change: given an utterance and a generator, returns what to train on; None: the utterance itself.
    """

    utterances: Sequence[Utterance]
    share: float = 1.0
    change: Callable[[Utterance, np.random.Generator], Utterance] | None = None


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: updates.
        batch: utterances in each.
        rate: the highest learning rate.
        scheduled: whether the rate rises for a tenth of the steps and then falls to zero; else it is constant.
        clip: largest norm of the gradient; None: any.
    """

    steps: int
    batch: int = 32
    rate: float = 1e-3
    scheduled: bool = True
    clip: float | None = 1.0


def fine_tune(encoder: PreTrainedModel, collate: Collator, parts: Sequence[Part], plan: Plan, seed: int) -> JointModel:
    """Return the trained joint model, in evaluation mode.

    Args:
        encoder: a copy of it is trained.
        collate: makes the batches; its labels are the heads' outputs.
        parts: what to train on.
        plan: how.
        seed: of the heads, the order and dropout.

    Raises:
        ParameterError: there is nothing to train on.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from transformers import get_constant_schedule, get_linear_schedule_with_warmup

    seed_everything(seed)
    model = JointModel(copy.deepcopy(encoder), len(collate.labels.intents), len(collate.labels.tags))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, fused=True)
    schedule = (
        get_linear_schedule_with_warmup(optimizer, plan.steps // 10, plan.steps)
        if plan.scheduled
        else get_constant_schedule(optimizer)
    )
    # a part of a batch may have no label for one of the heads; the schedule counts batches, so it is not prepared
    accelerator = Accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    prepared, optimizer = accelerator.prepare(model, optimizer)
    mine = own_rows(accelerator, plan.batch)
    prepared.train()
    drawn = batches(parts, plan.batch, plan.steps, np.random.default_rng(seed))
    for utterances in progress(drawn, "fine-tuning", total=plan.steps):
        accelerator.backward(loss(prepared, collate([utterances[row] for row in mine])))
        if plan.clip is not None:
            accelerator.clip_grad_norm_(prepared.parameters(), plan.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return model.eval()


def batches(parts: Sequence[Part], size: int, count: int, random: np.random.Generator) -> Iterator[list[Utterance]]:
    """Yield `count` batches of `size` utterances; every part is gone through in ever new orders.

    Raises:
        ParameterError: no part has an utterance and a share.
    """
    parts = [part for part in parts if part.share > 0 and len(part.utterances)]
    if not parts:
        raise ParameterError("there is nothing to train on: every part is empty or has no share.")
    shares = np.array([part.share for part in parts])
    orders = [_endless(len(part.utterances), random) for part in parts]
    for _ in range(count):
        chosen = random.choice(len(parts), size, p=shares / shares.sum())
        drawn = [(parts[place], parts[place].utterances[next(orders[place])]) for place in chosen]
        yield [part.change(utterance, random) if part.change else utterance for part, utterance in drawn]


def _endless(count: int, random: np.random.Generator) -> Iterator[int]:
    while True:
        yield from random.permutation(count).tolist()
