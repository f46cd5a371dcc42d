"""Fits to some of the labelled pictures against plain calls of `fine_tune`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import finetune, fitting, head, inference
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.errors import ParameterError
from tests.continual.conftest import LABELS, OLD, same

ROWS = np.array([0, 3, 4, 6, 9, 10])
CLASSES = torch.tensor(LABELS)


def test_only_the_given_rows_are_learnt(tiny: TinyVit, pixels: np.ndarray) -> None:
    plan, settings = TrainingPlan(epochs=2, alpha=0.5, learning_rate=1e-3), {"teacher": tiny, "seed": 3}
    epochs = []
    watched = {"watch": lambda epoch, _: epochs.append(epoch), **settings}
    tuned = fitting.fit_rows(tiny, pixels, CLASSES, plan, ROWS, **watched)
    assert same(tuned, finetune.fine_tune(tiny, pixels[ROWS], [4, 5, 5, 8, 12, 12], plan, **settings))
    assert not same(tuned, fitting.fit_rows(tiny, pixels, CLASSES, plan, np.arange(12), **settings))
    assert epochs == [1, 2]


def test_missing_parts_are_refused(tiny: TinyVit, pixels: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="needs a teacher"):
        fitting.fit_rows(tiny, pixels, CLASSES, TrainingPlan(alpha=0.5), ROWS)


def test_predicted_labels_are_learnt_beside_the_copied_given_ones(tiny: TinyVit, pixels: np.ndarray) -> None:
    """20 passes over 6 pictures are as long as 5 or 6 over 3 * 6 and 4 pictures."""
    plan = TrainingPlan(epochs=20, learning_rate=1e-3, alpha=0.9, distil="old", frozen_norm=True)
    features, test = inference.features(tiny, pixels), pixels[::-1][:4].copy()
    asked, epochs = [], []

    def recipe(rows: np.ndarray) -> torch.Tensor:
        asked.append(rows.tolist())
        return torch.eye(102)[[7, 4, 0, 12, *[99] * 12]]

    tuned = fitting.fit_self_labelled(
        tiny, pixels, CLASSES, plan, ROWS, watch=lambda epoch, _: epochs.append(epoch),
        features=features, test=test, recipe=recipe, old=OLD, copies=3, seed=5,
    )  # fmt: skip
    expected = finetune.fine_tune(
        head.imprint(tiny, features[ROWS], CLASSES[ROWS], OLD),
        np.concatenate([pixels[ROWS], pixels[ROWS], pixels[ROWS], test]),
        [4, 5, 5, 8, 12, 12] * 3 + [7, 4, 0, 12],
        TrainingPlan(epochs=5, learning_rate=1e-3, alpha=0.9, distil="old", frozen_norm=True),
        teacher=tiny, old=OLD, seed=5,
    )  # fmt: skip
    assert asked == [ROWS.tolist()]
    assert epochs == [1, 2, 3, 4, 5]
    assert same(tuned, expected)


def test_there_is_one_epoch_at_least(tiny: TinyVit, pixels: np.ndarray) -> None:
    epochs = []
    fitting.fit_self_labelled(
        tiny, pixels, CLASSES, TrainingPlan(epochs=1), ROWS, watch=lambda epoch, _: epochs.append(epoch),
        features=inference.features(tiny, pixels), test=pixels, recipe=lambda rows: torch.eye(102)[:24], old=OLD,
    )  # fmt: skip
    assert epochs == [1]
