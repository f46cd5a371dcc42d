"""Networks that are fitted to some of the labelled pictures, in the form that `contest` plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neoai_utils.arrays import Integers, Picture
from neoai_utils.continual import head
from neoai_utils.continual.contest import Recipe, Watch
from neoai_utils.continual.finetune import fine_tune
from neoai_utils.continual.plan import TrainingPlan

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["fit_rows", "fit_self_labelled"]


def fit_rows(
    model: TinyVit, pixels: Picture, labels: Tensor, plan: TrainingPlan, rows: Integers, *,
    watch: Watch | None = None, **settings: Any,
) -> TinyVit:  # fmt: skip
    """Return a copy of a network, fine-tuned on some of the labelled pictures.

    Args:
        model: the initial network; unchanged.
        pixels: (n, 3, side, side) uint8 labelled pictures.
        labels: (n,) int64 their classes.
        plan: of the training.
        rows: (m,) the pictures to use.
        watch: called after each epoch.
        settings: further arguments of `finetune.fine_tune`.

    Raises:
        ParameterError: as in `finetune.fine_tune`.
    """
    return fine_tune(model, pixels[rows], labels[torch.as_tensor(rows)], plan, watch=watch, **settings)


def fit_self_labelled(
    teacher: TinyVit, pixels: Picture, labels: Tensor, plan: TrainingPlan, rows: Integers, *,
    features: Tensor, test: Picture, recipe: Recipe, old: Sequence[int], copies: int = 3, seed: int = 0,
    watch: Watch | None = None,
) -> TinyVit:  # fmt: skip
    """Return a network that learns from labelled pictures and from test pictures with predicted labels.

    It starts as the teacher with an imprinted head, and distils from the teacher.

    Args:
        teacher: the given network; unchanged.
        pixels: (n, 3, side, side) uint8 labelled pictures.
        labels: (n,) int64 their classes.
        plan: of the training. Its epochs are passes over the labelled pictures to use; the training has as many steps
            as they would have, and at least one pass over all pictures.
        rows: (m,) the labelled pictures to use.
        features: (n, width), `inference.features` of the labelled pictures.
        test: (k, 3, side, side) uint8 test pictures.
        recipe: predicts the test pictures' labels from the labelled pictures to use.
        old: classes without labelled pictures.
        copies: how often each labelled picture is read in an epoch, because its label is certain.
        seed: of the training.
        watch: called after each epoch.

    Raises:
        ParameterError: as in `finetune.fine_tune`.
    """
    used = torch.as_tensor(rows)
    pictures = np.concatenate([pixels[rows]] * copies + [test])
    predicted = recipe(rows)[: len(test)].argmax(dim=1)
    classes = torch.cat([labels[used]] * copies + [predicted])
    epochs = max(1, round(plan.epochs * len(rows) / len(pictures)))
    start = head.imprint(teacher, features[used], labels[used], old)
    plan = replace(plan, epochs=epochs)
    return fine_tune(start, pictures, classes, plan, teacher=teacher, old=old, seed=seed, watch=watch)
