"""Task 2: TinyViT-5M at 224 pixels with 102 outputs: the checkpoint, logits, training, inversion and their memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.real_size import FILES
from neoai_utils.continual import balancing, checkpoint, cost, files, finetune, head, inference, inversion
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.runtime import pick_device

CARD = 14e9  # bytes of a T4 that are usable


@pytest.fixture(scope="module")
def given(data: Path) -> files.Underfitting:
    FILES["task2"](data, 1e-4)
    return files.read(data)


@pytest.fixture(scope="module")
def teacher(given: files.Underfitting) -> Any:
    return checkpoint.load(given.model_path, files.CLASSES).to(pick_device())


@pytest.fixture(scope="module")
def pixels(given: files.Underfitting) -> Any:
    return files.pixels(given.train_paths[:2], given.side)


def test_two_pictures_get_logits(given: files.Underfitting, teacher: Any, pixels: Any) -> None:
    assert (pixels.shape, pixels.dtype) == ((2, 3, 224, 224), np.uint8)
    assert 5e6 < sum(values.numel() for values in teacher.parameters()) < 6e6
    logits = inference.logits(teacher, pixels, flip=True)
    assert (logits.shape, logits.dtype) == ((2, 102), torch.float32)
    assert logits.isfinite().all()
    assert not torch.equal(logits[0], logits[1])
    assert (len(given.weak), len(given.old)) == (23, 79)
    balanced = logits + balancing.class_offsets(logits)
    frame = files.submission(given.test_ids, balanced.argmax(dim=1).numpy())
    assert frame["class"].between(0, 101).all()


def test_the_imprinted_head_takes_one_guarded_step(given: files.Underfitting, teacher: Any, pixels: Any) -> None:
    labels, old = torch.tensor(given.train_classes[:2]), given.old.tolist()
    features = inference.features(teacher, pixels)
    assert features.shape == (2, teacher.num_features) == (2, 320)
    imprinted = head.imprint(teacher, features, labels, old=old)
    learning_rate = 5e-5 * 320 / teacher.num_features
    plan = TrainingPlan(
        epochs=1, learning_rate=learning_rate, alpha=0.1, temperature=2.0, distil="old", frozen_norm=True, deform=True
    )
    tuned = finetune.fine_tune(imprinted, pixels, labels, plan, teacher=teacher, old=old)
    before, after = imprinted.state_dict(), tuned.state_dict()
    assert before.keys() == after.keys()
    changed = {name for name, values in after.items() if not torch.equal(values, before[name])}
    learnt = {name for name, _ in tuned.named_parameters()} & changed
    assert len(learnt) > 0.9 * len(list(tuned.parameters())), "new residual branches begin at zero, and so stay"
    assert {f"stages.{stage}" for stage in range(4)} < {name[:8] for name in learnt}
    assert not any("running" in name for name in changed), "BatchNorm is frozen"
    assert all(values.isfinite().all() for values in after.values())
    assert inference.logits(tuned, pixels).isfinite().all()


def test_one_step_of_inversion_moves_the_noise(given: files.Underfitting, teacher: Any) -> None:
    noise, dreams = (inversion.invert(teacher, given.old[:2].tolist(), given.side, steps=steps) for steps in (0, 1))
    assert (dreams.shape, dreams.dtype) == ((2, 3, 224, 224), torch.uint8)
    assert (noise != dreams).float().mean() > 0.5


def test_the_memory_of_a_step_is_what_the_documentation_says(teacher: Any) -> None:
    student = checkpoint.clone(teacher).train()
    finetune.freeze_norm(student)
    picture = torch.zeros(1, 3, 224, 224)
    each = cost.graph_bytes(lambda: student(picture), student)
    assert each == pytest.approx(95e6, rel=0.05)
    at_once = cost.pictures_at_once(lambda: student(picture), student)
    assert at_once >= 64, "a whole batch"
    weights = sum(values.numel() * values.itemsize for values in student.parameters())
    # both networks, the gradients, Adam's moments; 10 MB a picture for the teacher and for the backward pass
    assert at_once * (each + 20e6) + 5 * weights < CARD
    hours = cost.training_hours(teacher, 224, 230 * 30)
    assert 0 < hours < 100
