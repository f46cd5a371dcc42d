"""Fine-tuning and distillation against known results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import checkpoint, finetune, inference
from neoai_utils.continual.plan import TrainingPlan
from neoai_utils.errors import ParameterError
from tests.continual.conftest import LABELS, OLD, WEAK, same


def statistics(model: TinyVit) -> list[torch.Tensor]:
    return [values for name, values in model.state_dict().items() if "running_" in name]


def slow_distillation(student: np.ndarray, teacher: np.ndarray, temperature: float) -> float:
    """The formula, row by row."""
    total = 0.0
    for s, t in zip(student / temperature, teacher / temperature, strict=True):
        p = np.exp(t) / np.exp(t).sum()
        q = np.exp(s) / np.exp(s).sum()
        total += float((p * (np.log(p) - np.log(q))).sum())
    return temperature**2 * total / len(student)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.5, 8))
def test_distillation_is_its_formula(seed: int, temperature: float) -> None:
    student, teacher = np.random.default_rng(seed).normal(size=(2, 5, 7))
    loss = finetune.distillation(torch.tensor(student), torch.tensor(teacher), temperature)
    assert float(loss) == pytest.approx(slow_distillation(student, teacher, temperature), rel=1e-6, abs=1e-9)


def test_distilling_from_oneself_costs_nothing() -> None:
    logits = torch.randn(4, 9)
    assert float(finetune.distillation(logits, logits, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(finetune.distillation(logits + 3.0, logits, 2.0)) == pytest.approx(0, abs=1e-5)


def test_fine_tuning_learns_and_leaves_its_start_alone(tiny: TinyVit, pixels: np.ndarray) -> None:
    before = checkpoint.clone(tiny)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=70, learning_rate=3e-3, max_norm=5.0))
    assert same(tiny, before)
    assert (inference.logits(tuned, pixels).argmax(dim=1) == torch.tensor(LABELS)).float().mean() > 0.9


def test_the_same_seed_gives_the_same_weights(tiny: TinyVit, pixels: np.ndarray) -> None:
    plan = TrainingPlan(epochs=2, alpha=0.5)
    runs = [finetune.fine_tune(tiny, pixels, LABELS, plan, teacher=tiny, seed=s) for s in (3, 3, 4)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_the_callers_random_numbers_are_left_alone(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_frozen_norm_keeps_the_statistics(tiny: TinyVit, pixels: np.ndarray) -> None:
    for frozen in (True, False):
        tuned = finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=1, frozen_norm=frozen))
        kept = [torch.equal(a, b) for a, b in zip(statistics(tiny), statistics(tuned), strict=True)]
        assert all(kept) == frozen


def test_only_the_named_part_learns(tiny: TinyVit, pixels: np.ndarray) -> None:
    tuned = finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=1, trained="head", learning_rate=0.01))
    start = tiny.state_dict()
    changed = {name for name, values in tuned.state_dict().items() if not torch.equal(values, start[name])}
    assert changed == {"head.fc.weight", "head.fc.bias"}


def test_lora_changes_only_few_directions(tiny: TinyVit, pixels: np.ndarray) -> None:
    pytest.importorskip("peft")
    plan = TrainingPlan(epochs=2, trained="lora", rank=2, learning_rate=0.01, frozen_norm=True)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, plan)
    start = tiny.state_dict()
    assert list(start) == list(tuned.state_dict())  # merged: nothing of peft is left
    change = {n: v - start[n] for n, v in tuned.state_dict().items() if not torch.equal(v, start[n])}
    assert {"head.fc.weight", "head.fc.bias"} < set(change)
    for name in set(change) - {"head.fc.weight", "head.fc.bias"}:
        assert torch.linalg.matrix_rank(change[name], rtol=1e-3) <= 2, name


def test_lora_beside_a_torchao_that_peft_refuses(tiny: TinyVit, pixels: np.ndarray, old_torchao) -> None:
    plan = TrainingPlan(epochs=1, trained="lora", rank=2, learning_rate=0.01, frozen_norm=True)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, plan)
    assert list(tiny.state_dict()) == list(tuned.state_dict())


def test_distillation_on_old_logits_holds_the_old_and_frees_the_new(tiny: TinyVit, pixels: np.ndarray) -> None:
    """With the labels' loss almost off, old logits stay the teacher's; new ones may go where they like."""
    start = checkpoint.clone(tiny)
    with torch.no_grad():
        start.head.fc.weight.add_(0.3 * torch.randn_like(start.head.fc.weight))
    plan = TrainingPlan(
        epochs=30, learning_rate=3e-3, alpha=0.0, distil="old", frozen_norm=True, trained="head", temperature=1.0
    )
    tuned = finetune.fine_tune(start, pixels, LABELS, plan, teacher=tiny, old=OLD)
    goal, before, after = (inference.logits(model, pixels) for model in (tiny, start, tuned))

    def distance(logits: torch.Tensor, columns: list[int]) -> float:
        return float(finetune.distillation(logits[:, columns], goal[:, columns], 1.0))

    assert distance(after, OLD) < 0.5 * distance(before, OLD)
    assert torch.allclose(tuned.head.fc.bias[WEAK], start.head.fc.bias[WEAK], atol=0.01)


def test_watch_sees_every_epoch(tiny: TinyVit, pixels: np.ndarray) -> None:
    seen: list[int] = []
    finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(epochs=3), watch=lambda epoch, _: seen.append(epoch))
    assert seen == [1, 2, 3]


def test_missing_parts_are_refused(tiny: TinyVit, pixels: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="needs a teacher"):
        finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(alpha=0.5))
    with pytest.raises(ParameterError, match="needs the old classes"):
        finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(alpha=0.5, distil="old"), teacher=tiny)
    with pytest.raises(ParameterError, match="12 pictures but 3 classes"):
        finetune.fine_tune(tiny, pixels, LABELS[:3], TrainingPlan())


@pytest.mark.parametrize("trained", ["all", "head"])
def test_a_batch_in_parts_teaches_what_the_whole_one_does(tiny: TinyVit, pixels: np.ndarray, trained) -> None:
    """The plain reference learns every batch of 12 labelled and 12 replayed pictures in one backward pass."""
    plan = TrainingPlan(
        4, 1e-3, alpha=0.3, distil="old", frozen_norm=trained == "all", deform=True, batch_size=12, trained=trained
    )
    whole, parts = (
        finetune.fine_tune(
            tiny, pixels, LABELS, plan, teacher=tiny, old=OLD, replay=pixels[::-1].copy(), at_once=at_once
        )
        for at_once in (24, 5)
    )
    assert not same(whole, tiny)
    for expected, found in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_a_batch_whose_statistics_count_stays_whole(tiny: TinyVit, pixels: np.ndarray) -> None:
    """BatchNorm that is not frozen would normalise each part on its own."""
    whole, parts = (
        finetune.fine_tune(tiny, pixels, LABELS, TrainingPlan(2, 1e-3), at_once=at_once) for at_once in (None, 5)
    )
    assert same(whole, parts)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (1, [1]), (5, [5]), (6, [4, 2])])
def test_no_picture_is_left_alone_in_a_batch(tiny: TinyVit, count: int, sizes: list[int]) -> None:
    batches = finetune._batches(torch.arange(count), 4)
    assert [len(rows) for rows in batches] == sizes
    assert torch.equal(torch.cat(batches), torch.arange(count))
