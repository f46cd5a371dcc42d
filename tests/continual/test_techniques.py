"""Fine-tuning, distillation, the head, averages and inversion against known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import averaging, checkpoint, files, finetune, head, inference, inversion, self_labelling
from neoai_utils.continual.finetune import Plan
from neoai_utils.continual.miniature import pretraining
from neoai_utils.errors import NotANumberError, ParameterError

LABELS = [4, 4, 4, 5, 5, 5, 8, 8, 8, 12, 12, 12]
WEAK = [4, 5, 8, 12]
OLD = [number for number in range(102) if number not in WEAK]


def same(first: TinyVit, second: TinyVit) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs if a.is_floating_point())


def statistics(model: TinyVit) -> list[torch.Tensor]:
    return [values for name, values in model.state_dict().items() if "running_" in name]


# ------------------------------------------------------------------------------------------------------ distillation


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
    found = finetune.distillation(torch.tensor(student), torch.tensor(teacher), temperature)
    assert float(found) == pytest.approx(slow_distillation(student, teacher, temperature), rel=1e-6, abs=1e-9)


def test_distilling_from_oneself_costs_nothing() -> None:
    logits = torch.randn(4, 9)
    assert float(finetune.distillation(logits, logits, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(finetune.distillation(logits + 3.0, logits, 2.0)) == pytest.approx(0, abs=1e-5)


# ------------------------------------------------------------------------------------------------------- fine-tuning


def test_fine_tuning_learns_and_leaves_its_start_alone(tiny: TinyVit, pixels: np.ndarray) -> None:
    before = checkpoint.clone(tiny)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=70, rate=3e-3, clip=5.0))
    assert same(tiny, before)
    assert (inference.logits(tuned, pixels).argmax(dim=1) == torch.tensor(LABELS)).float().mean() > 0.9


def test_the_same_seed_gives_the_same_weights(tiny: TinyVit, pixels: np.ndarray) -> None:
    plan = Plan(epochs=2, alpha=0.5)
    runs = [finetune.fine_tune(tiny, pixels, LABELS, plan, teacher=tiny, seed=s) for s in (3, 3, 4)]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_the_callers_random_numbers_are_left_alone(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_frozen_norm_keeps_the_statistics(tiny: TinyVit, pixels: np.ndarray) -> None:
    for frozen in (True, False):
        tuned = finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=1, frozen_norm=frozen))
        kept = [torch.equal(a, b) for a, b in zip(statistics(tiny), statistics(tuned), strict=True)]
        assert all(kept) == frozen


def test_logits_that_are_no_number_are_refused(tiny: TinyVit, pixels: np.ndarray) -> None:
    with torch.no_grad():
        tiny.head.fc.bias[0] = float("nan")
    with pytest.raises(NotANumberError, match="logits"):
        inference.logits(tiny, pixels)


def test_only_the_named_part_learns(tiny: TinyVit, pixels: np.ndarray) -> None:
    tuned = finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=1, part="head", rate=0.01))
    start = tiny.state_dict()
    changed = {name for name, values in tuned.state_dict().items() if not torch.equal(values, start[name])}
    assert changed == {"head.fc.weight", "head.fc.bias"}


def test_lora_changes_only_few_directions(tiny: TinyVit, pixels: np.ndarray) -> None:
    pytest.importorskip("peft")
    plan = Plan(epochs=2, part="lora", rank=2, rate=0.01, frozen_norm=True)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, plan)
    start = tiny.state_dict()
    assert list(start) == list(tuned.state_dict())  # merged: nothing of peft is left
    change = {n: v - start[n] for n, v in tuned.state_dict().items() if not torch.equal(v, start[n])}
    assert {"head.fc.weight", "head.fc.bias"} < set(change)
    for name in set(change) - {"head.fc.weight", "head.fc.bias"}:
        assert torch.linalg.matrix_rank(change[name], rtol=1e-3) <= 2, name


def test_lora_beside_a_torchao_that_peft_refuses(tiny: TinyVit, pixels: np.ndarray, old_torchao) -> None:
    plan = Plan(epochs=1, part="lora", rank=2, rate=0.01, frozen_norm=True)
    tuned = finetune.fine_tune(tiny, pixels, LABELS, plan)
    assert list(tiny.state_dict()) == list(tuned.state_dict())


def test_distillation_on_old_logits_holds_the_old_and_frees_the_new(tiny: TinyVit, pixels: np.ndarray) -> None:
    """With the labels' loss almost off, old logits stay the teacher's; new ones may go where they like."""
    start = checkpoint.clone(tiny)
    with torch.no_grad():
        start.head.fc.weight.add_(0.3 * torch.randn_like(start.head.fc.weight))
    plan = Plan(epochs=30, rate=3e-3, alpha=0.0, distil="old", frozen_norm=True, part="head", temperature=1.0)
    tuned = finetune.fine_tune(start, pixels, LABELS, plan, teacher=tiny, old=OLD)
    goal, before, after = (inference.logits(model, pixels) for model in (tiny, start, tuned))

    def distance(logits: torch.Tensor, columns: list[int]) -> float:
        return float(finetune.distillation(logits[:, columns], goal[:, columns], 1.0))

    assert distance(after, OLD) < 0.5 * distance(before, OLD)
    assert torch.allclose(tuned.head.fc.bias[WEAK], start.head.fc.bias[WEAK], atol=0.01)


def test_watch_sees_every_epoch(tiny: TinyVit, pixels: np.ndarray) -> None:
    seen: list[int] = []
    finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=3), watch=lambda epoch, _: seen.append(epoch))
    assert seen == [1, 2, 3]


@pytest.mark.parametrize(
    "wrong", [{"alpha": 1.2}, {"rate": 0.0}, {"clip": -1.0}, {"temperature": 0.0}, {"epochs": -1}, {"batch": 0}]
)
def test_impossible_plans_are_refused(wrong: dict) -> None:
    with pytest.raises(ParameterError):
        Plan(**wrong)


def test_missing_parts_are_refused(tiny: TinyVit, pixels: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="needs a teacher"):
        finetune.fine_tune(tiny, pixels, LABELS, Plan(alpha=0.5))
    with pytest.raises(ParameterError, match="needs the old classes"):
        finetune.fine_tune(tiny, pixels, LABELS, Plan(alpha=0.5, distil="old"), teacher=tiny)
    with pytest.raises(ParameterError, match="12 pictures but 3 classes"):
        finetune.fine_tune(tiny, pixels, LABELS[:3], Plan())


def test_deformed_pictures_move_little_and_each_in_its_way() -> None:
    ramp = torch.linspace(-0.5, 0.5, 32).expand(6, 3, 32, 32).contiguous()
    found = finetune.deform(ramp, torch.Generator().manual_seed(0))
    assert found.shape == ramp.shape
    assert float((found - ramp).abs().max()) < 0.5
    assert len({round(float(picture.std()), 5) for picture in found}) == 6
    still = finetune.deform(ramp, torch.Generator().manual_seed(0), turn=1e-9, zoom=0.0)
    assert torch.allclose(still, ramp, atol=1e-5)


@pytest.mark.parametrize(("count", "sizes"), [(9, [4, 5]), (8, [4, 4]), (1, [1]), (5, [5]), (6, [4, 2])])
def test_no_picture_is_left_alone_in_a_batch(tiny: TinyVit, count: int, sizes: list[int]) -> None:
    found = finetune._batches(torch.arange(count), 4)
    assert [len(rows) for rows in found] == sizes
    assert torch.equal(torch.cat(found), torch.arange(count))


def test_augmented_pictures_are_the_picture_or_its_mirror() -> None:
    images = torch.rand(64, 3, 4, 4) - 0.5
    views = finetune.augment(images, torch.Generator().manual_seed(0))
    mirrored = 0
    for view, image in zip(views, images, strict=True):
        fits = []
        for candidate in (image, image.flip(2)):
            design = torch.stack([candidate.flatten(), torch.ones(48)], dim=1)
            line = torch.linalg.lstsq(design, view.flatten()[:, None]).solution
            fits.append(float((design @ line - view.flatten()[:, None]).abs().max()) < 1e-4)
        assert any(fits)
        mirrored += fits[1]
    assert 16 < mirrored < 48


# ---------------------------------------------------------------------------------------------------------- the head


def test_logits_do_not_depend_on_the_batch(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.testing.assert_close(inference.logits(tiny, pixels, batch=5), inference.logits(tiny, pixels))


def test_features_through_the_head_are_the_logits(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.testing.assert_close(tiny.head.fc(inference.features(tiny, pixels)), inference.logits(tiny, pixels))


def test_flipped_logits_are_the_same_for_the_mirrored_pictures(tiny: TinyVit, pixels: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    torch.testing.assert_close(
        inference.logits(tiny, pixels, flip=True), inference.logits(tiny, mirrored, flip=True), rtol=1e-4, atol=1e-5
    )


def test_imprinted_rows_point_at_their_class_and_are_as_long_as_old_ones(tiny: TinyVit, pixels: np.ndarray) -> None:
    features = inference.features(tiny, pixels)
    found = head.imprint(tiny, features, torch.tensor(LABELS), OLD)
    assert torch.equal(found.head.fc.weight[OLD], tiny.head.fc.weight[OLD])
    assert torch.allclose(head.row_norms(found)[WEAK], head.row_norms(tiny)[OLD].mean())
    means = head.class_means(features, torch.tensor(LABELS), WEAK) - features.mean(dim=0)
    assert torch.allclose(torch.cosine_similarity(found.head.fc.weight[WEAK], means), torch.ones(4), atol=1e-5)
    level = tiny.head.fc(features.mean(dim=0))[OLD].mean()
    assert torch.allclose(found.head.fc(features.mean(dim=0))[WEAK], level, atol=1e-4)


def test_a_class_without_pictures_cannot_be_imprinted() -> None:
    with pytest.raises(ParameterError, match="class 7 has no picture"):
        head.class_means(torch.ones(2, 3), torch.tensor([4, 4]), [4, 7])


def test_aligned_rows_have_equal_mean_lengths_and_directions_of_before(tiny: TinyVit) -> None:
    found = head.align(tiny, WEAK, OLD)
    norms = head.row_norms(found)
    assert float(norms[WEAK].mean()) == pytest.approx(float(norms[OLD].mean()), rel=1e-5)
    assert torch.allclose(torch.cosine_similarity(found.head.fc.weight, tiny.head.fc.weight), torch.ones(102))


def test_shift_moves_only_the_weak_and_trades_monotonically() -> None:
    logits = torch.randn(200, 102)
    shares = []
    for by in (-3.0, -1.0, 0.0, 1.0, 3.0):
        moved = head.shift(logits, WEAK, by)
        assert torch.equal(moved[:, OLD], logits[:, OLD])
        assert torch.allclose(moved[:, WEAK], logits[:, WEAK] + by)
        shares.append(float(torch.isin(moved.argmax(dim=1), torch.tensor(WEAK)).float().mean()))
    assert shares == sorted(shares)


# ---------------------------------------------------------------------------------------------------------- averages


def test_interpolation_has_its_ends_and_its_middle(tiny: TinyVit, pixels: np.ndarray) -> None:
    other = finetune.fine_tune(tiny, pixels, LABELS, Plan(epochs=1, rate=1e-3))
    assert same(averaging.interpolate(tiny, other, 0.0), tiny)
    assert torch.equal(averaging.interpolate(tiny, other, 1.0).head.fc.weight, other.head.fc.weight)
    middle = averaging.interpolate(tiny, other, 0.5).requires_grad_(False)
    tiny, other = tiny.requires_grad_(False), other.requires_grad_(False)
    assert torch.allclose(middle.head.fc.weight, (tiny.head.fc.weight + other.head.fc.weight) / 2)
    torch.testing.assert_close(averaging.soup([tiny, other]).head.fc.weight, middle.head.fc.weight)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        averaging.interpolate(tiny, other, 1.5)


def test_the_greedy_soup_never_gets_worse(tiny: TinyVit) -> None:
    models = []
    for value in (1.0, 5.0, 3.2):
        state = {name: values.clone() for name, values in tiny.state_dict().items()}
        state["head.fc.bias"] = torch.full_like(state["head.fc.bias"], value)
        models.append(checkpoint.clone(tiny, state))

    def quality(model: TinyVit) -> float:
        return -abs(float(model.head.fc.bias[0].detach()) - 3.0)

    found, kept = averaging.greedy_soup(models, quality)
    assert quality(found) >= max(map(quality, models))
    assert kept[0] == 2
    with pytest.raises(ParameterError, match="at least one"):
        averaging.soup([])


# --------------------------------------------------------------------------------------------------------- inversion


def test_inverted_pictures_are_called_what_they_should_be() -> None:
    recipe = pretraining.Training()
    teacher = pretraining.make_model(recipe, files.CLASSES).eval()
    teacher.load_state_dict(pretraining.committed_state("model"))
    goal = [1, 20, 40, 60, 80, 90, 100, 5]
    noise, first, again = (inversion.invert(teacher, goal, recipe.side, steps=steps) for steps in (0, 80, 80))
    assert torch.equal(first, again)
    assert first.dtype == torch.uint8
    before, after = (
        (inference.logits(teacher, pictures).argmax(dim=1) == torch.tensor(goal)).float().mean()
        for pictures in (noise, first)
    )
    assert after >= before + 0.4


def test_total_variation_of_a_checkerboard() -> None:
    rows, columns = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    board = ((rows + columns) % 2).float()[None, None]
    assert float(inversion.total_variation(board)) == 2
    assert float(inversion.total_variation(torch.ones(1, 3, 4, 4))) == 0


# ---------------------------------------------------------------------------------------------------- self-labelling


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.3, 2))
def test_balanced_answers_sum_to_their_shares(seed: int, power: float) -> None:
    logits = 3 * torch.randn(60, 5, generator=torch.Generator().manual_seed(seed))
    found = self_labelling.balance(logits, power, rounds=500)
    assert torch.allclose(found.sum(1), torch.ones(60), atol=1e-4)
    assert torch.allclose(found.sum(0), torch.full((5,), 12.0), atol=0.05)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_balance_takes_no_notice_of_a_shifted_class(seed: int) -> None:
    """A constant on one class's logits is what Sinkhorn's scaling removes."""
    logits = 2 * torch.randn(30, 4, generator=torch.Generator().manual_seed(seed))
    moved = head.shift(logits, [1, 2], -2.5)
    first, second = (self_labelling.balance(z, rounds=2000) for z in (logits, moved))
    assert torch.allclose(first, second, atol=1e-3)


def test_balance_refuses_what_it_cannot_balance() -> None:
    with pytest.raises(ParameterError, match="NaN"):
        self_labelling.balance(torch.tensor([[0.0, float("nan")]]))
    with pytest.raises(ParameterError, match="positive"):
        self_labelling.balance(torch.zeros(2, 2), power=0)


def test_confident_answers_are_those_above_the_threshold() -> None:
    places, classes = self_labelling.confident(torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]]), 0.55)
    assert (places.tolist(), classes.tolist()) == ([0, 1], [0, 1])
