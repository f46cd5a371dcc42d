"""Fine-tuning the joint model on a mixture of labelled utterances, with the schedule that the published code left out.

AdamW (Loshchilov and Hutter, 1711.05101), a learning rate with linear warm-up and decay, and gradients clipped to a
maximum norm, as BERT's authors fine-tune (1810.04805). Utterances may be changed at random each time they are drawn, as
code-switching does. Under `accelerate launch` the processes share each batch.

The model leaves the card when it is trained, so that one model at a time is there (`precision` counts the memory).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from neoai_utils.arrays import Integers
from neoai_utils.crosslingual.encoding import Collator
from neoai_utils.crosslingual.joint import JointModel, loss
from neoai_utils.crosslingual.precision import Updates, in_float32_if_nan, new_accelerator
from neoai_utils.crosslingual.utterances import Utterance
from neoai_utils.errors import ParameterError
from neoai_utils.number_formats import fast_dtype
from neoai_utils.runtime import own_rows, pick_device, progress, seed_everything

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["TrainingPlan", "UtteranceSource", "batches", "fine_tune"]


@dataclass(frozen=True)
class UtteranceSource:
    """One source of training utterances.

    Attributes:
        utterances: labelled.
        share: weight among all sources; an utterance of a batch comes from this source with a probability in
            proportion to it.
        change: function of an utterance and a random generator that returns the utterance to train on; None: no
            change.
        weights: of the utterances, in proportion to which they are drawn; None: each once in a pass. A weight in the
            loss would have the same mean, but the competition's loss is fixed.
    """

    utterances: Sequence[Utterance]
    share: float = 1.0
    change: Callable[[Utterance, np.random.Generator], Utterance] | None = None
    weights: Sequence[float] | None = None


@dataclass(frozen=True)
class TrainingPlan:
    """The constants of a training.

    Attributes:
        steps: updates.
        batch: utterances in each.
        learning_rate: the highest.
        scheduled: whether the learning rate rises for a tenth of the steps and then falls to zero; else it is
            constant.
        max_norm: the gradient is clipped to this norm; None: it is not clipped.
    """

    steps: int
    batch: int = 32
    learning_rate: float = 1e-3
    scheduled: bool = True
    max_norm: float | None = 1.0


def fine_tune(
    encoder: PreTrainedModel,
    collate: Collator,
    sources: Sequence[UtteranceSource],
    plan: TrainingPlan,
    seed: int,
) -> JointModel:
    """Return the trained joint model, on the CPU and in evaluation mode.

    Args:
        encoder: a copy of it is trained.
        collate: makes the batches; its labels are the heads' outputs.
        sources: utterances to train on.
        plan: the constants.
        seed: of the heads, the order and dropout.

    Raises:
        ParameterError: there is nothing to train on.
        NotANumberError: the loss is NaN, in float32 too.
    """
    return in_float32_if_nan(
        lambda dtype: _fine_tuned(encoder, collate, sources, plan, seed, dtype=dtype),
        fast_dtype(pick_device(quiet=True)),
    )


def _fine_tuned(
    encoder: PreTrainedModel,
    collate: Collator,
    sources: Sequence[UtteranceSource],
    plan: TrainingPlan,
    seed: int,
    *,
    dtype: torch.dtype,
) -> JointModel:
    """Return `fine_tune`'s model; its products were computed in a number format."""
    from accelerate import DistributedDataParallelKwargs
    from transformers import get_constant_schedule, get_linear_schedule_with_warmup

    seed_everything(seed)
    model = JointModel(copy.deepcopy(encoder), len(collate.labels.intents), len(collate.labels.tags))
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.learning_rate, fused=True)
    schedule = (
        get_linear_schedule_with_warmup(optimizer, plan.steps // 10, plan.steps)
        if plan.scheduled
        else get_constant_schedule(optimizer)
    )
    # a process's rows may have no label for one of the heads; the schedule counts batches, so it is not prepared
    accelerator = new_accelerator(kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)])
    prepared, optimizer = accelerator.prepare(model, optimizer)
    rows = own_rows(accelerator, plan.batch)
    updates = Updates(accelerator, dtype, plan.max_norm)
    prepared.train()
    drawn = batches(sources, plan.batch, plan.steps, np.random.default_rng(seed))
    for step, utterances in enumerate(progress(drawn, "fine-tuning", total=plan.steps), start=1):
        with updates.autocast():
            value = loss(prepared, collate([utterances[row] for row in rows]))
        updates.step(value, prepared, optimizer, last=step == plan.steps)
        schedule.step()
    accelerator.free_memory()
    return model.to("cpu").eval()


def batches(
    sources: Sequence[UtteranceSource], size: int, count: int, rng: np.random.Generator
) -> Iterator[list[Utterance]]:
    """Yield `count` batches of `size` utterances; every source is reshuffled after each pass.

    Raises:
        ParameterError: no source has an utterance and a share, or a source's weights do not fit its utterances.
    """
    sources = [source for source in sources if source.share > 0 and len(source.utterances)]
    if not sources:
        raise ParameterError("there is nothing to train on: every source is empty or has no share.")
    shares = np.array([source.share for source in sources])
    orders = [_endless(source, rng) for source in sources]
    for _ in range(count):
        numbers = rng.choice(len(sources), size, p=shares / shares.sum())
        drawn = [(sources[number], sources[number].utterances[next(orders[number])]) for number in numbers]
        yield [source.change(utterance, rng) if source.change else utterance for source, utterance in drawn]


def _endless(source: UtteranceSource, rng: np.random.Generator) -> Iterator[int]:
    """Return the indices of a source's utterances in the order in which they are drawn."""
    count, weights = len(source.utterances), source.weights
    if weights is None:
        return _passes(lambda: rng.permutation(count))
    values = np.asarray(weights, dtype=np.float64)
    if len(values) != count or (values < 0).any() or not values.sum() > 0:
        raise ParameterError(
            f"{count} utterances need as many weights, none negative and not all 0; "
            f"got {len(values)}: {', '.join(map(str, values[:5]))} …"
        )
    return _passes(lambda: rng.choice(count, count, p=values / values.sum()))


def _passes(draw: Callable[[], Integers]) -> Iterator[int]:
    while True:
        yield from draw().tolist()
