"""The size of a training from the size of the data and of the encoder, and the time that it takes without a GPU.

The batch is the largest power of two with which a pass over the sentences still has 90 updates, within a limit. The
learning rate is that of BERT's and XLM-R's authors for an encoder of twelve layers and width 768 (1810.04805,
1911.02116); wider ones get less, in proportion; a few layers cut out of an encoder have to be trained anew and need a
high one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.training import TrainingPlan, UtteranceSource, fine_tune
from neoai_utils.runtime import announce_hours, pick_device, stopwatch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["announce_trainings", "at_most", "batch_size", "planned"]

T = TypeVar("T")
_UPDATES = 90  # of a pass over the sentences, at least
_STEPS = 250  # updates of a training, at least
_SHALLOW = 6  # layers
_GOAL = 2.0  # hours of the smaller setting that is offered


def batch_size(sentences: int, most: int = 64) -> int:
    """Return the size of a batch for a number of sentences, from 8 to `most`: 32 for 3,000, 256 for 37,000."""
    size = 8
    while 2 * size <= most and sentences // (2 * size) >= _UPDATES:
        size *= 2
    return size


def planned(
    sentences: int, encoder: PreTrainedModel, steps: int | None = None, learning_rate: float | None = None
) -> TrainingPlan:
    """Return the plan of a training.

    Args:
        sentences: number of labelled English ones.
        encoder: its layers and width decide the learning rate.
        steps: updates; None: two passes over the sentences, 250 at least.
        learning_rate: the highest; None: 1e-3 up to six layers, else 5e-5 up to width 768 and less for wider ones.
    """
    batch = batch_size(sentences)
    config = encoder.config
    deep = config.num_hidden_layers > _SHALLOW
    usual = 5e-5 * min(1.0, 768 / config.hidden_size) if deep else 1e-3
    return TrainingPlan(steps or max(_STEPS, 2 * sentences // batch), batch, learning_rate or usual)


def at_most(items: Sequence[T], count: int, name: str, seed: int) -> tuple[T, ...]:
    """Return the items, or a random `count` of them in the same order if there are more, which is printed.

    Args:
        items: for example texts.
        count: the largest number to keep.
        name: of the items, for the printed line.
        seed: of the choice.
    """
    if len(items) <= count:
        return tuple(items)
    print(f"{len(items):,} {name}: a random {count:,} of them are used")
    kept = np.random.default_rng(seed).choice(len(items), count, replace=False)
    return tuple(items[index] for index in sorted(kept.tolist()))


def announce_trainings(
    encoder: PreTrainedModel, collate: Collator, source: UtteranceSource, plan: TrainingPlan, trainings: float
) -> None:
    """Print the hours of the trainings on this machine's CPU, and how to take fewer, if they are too many.

    Three updates are timed, one as a warm-up. On a GPU nothing is measured or printed. What is too long says
    `runtime.LONG_HOURS`.

    Args:
        encoder: of the trainings.
        collate: likewise.
        source: sentences to time the updates with.
        plan: of each training.
        trainings: their number; a part for a shorter one.
    """
    if pick_device(quiet=True).type != "cpu":
        return
    seconds = []
    for steps in (1, 3):
        with stopwatch() as watch:
            fine_tune(encoder, collate, [source], replace(plan, steps=steps), seed=0)
        seconds.append(watch.seconds)
    update = max(1e-3, seconds[1] - seconds[0]) / 2
    fewer = max(1, int(_GOAL * 3600 / (update * trainings)))
    announce_hours(
        f"{trainings:g} trainings of {plan.steps:,} updates at {update:.1f} s take",
        update * plan.steps * trainings / 3600,
        f"Turn on a GPU, or set the parameter steps to {fewer}: then it is about {_GOAL:g} hours.",
    )
