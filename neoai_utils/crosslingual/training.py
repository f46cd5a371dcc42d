"""Fine-tuning the joint model on a mixture of labelled utterances, with the schedule that the published code left out.

AdamW (Loshchilov and Hutter, 1711.05101), a rate that rises over the first steps and then falls to zero, and gradients
cut to a largest norm: the recipe that BERT's authors fine-tune with (1810.04805). Utterances may be changed anew each
time they are drawn, as code-switching does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils.crosslingual.conll import Utterance
from neoai_utils.crosslingual.encoding import Alignment, Labels, encode
from neoai_utils.crosslingual.joint import JointModel
from neoai_utils.errors import ParameterError
from neoai_utils.runtime import progress, seed_everything

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

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
        head_rate: how many times as fast the fresh heads learn.
        scheduled: whether the rate rises for a tenth of the steps and then falls to zero; else it is constant.
        clip: largest norm of the gradient; None: any.
        alignment: which piece carries a word's tag.
    """

    steps: int
    batch: int = 32
    rate: float = 3e-4
    head_rate: float = 1.0
    scheduled: bool = True
    clip: float | None = 1.0
    alignment: Alignment = "first piece"


def fine_tune(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    parts: Sequence[Part],
    labels: Labels,
    plan: Plan,
    seed: int,
) -> JointModel:
    """Return the trained joint model, in evaluation mode; the encoder given is trained in place.

    Args:
        encoder: its weights are changed: give a fresh copy.
        tokenizer: the encoder's.
        parts: what to train on.
        labels: names of the heads' outputs.
        plan: how.
        seed: of the heads, the order and dropout.

    Raises:
        ParameterError: there is nothing to train on.
    """
    from accelerate import Accelerator
    from transformers import get_constant_schedule, get_linear_schedule_with_warmup

    seed_everything(seed)
    accelerator = Accelerator()
    model = JointModel(encoder, len(labels.intents), len(labels.tags))
    heads = [*model.intent_head.parameters(), *model.slot_head.parameters()]
    groups = [{"params": list(encoder.parameters())}, {"params": heads, "lr": plan.rate * plan.head_rate}]
    optimizer = torch.optim.AdamW(groups, lr=plan.rate)
    schedule = (
        get_linear_schedule_with_warmup(optimizer, plan.steps // 10, plan.steps)
        if plan.scheduled
        else get_constant_schedule(optimizer)
    )
    prepared, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)
    prepared.train()
    drawn = batches(parts, plan.batch, plan.steps, np.random.default_rng(seed))
    for utterances in progress(drawn, "fine-tuning", total=plan.steps):
        loss = prepared.loss(encode(tokenizer, utterances, labels, plan.alignment))
        accelerator.backward(loss)
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
