"""Held-out weak pictures and the teacher's surest predictions make one estimate of the accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.choice import compare, simplest_of_best
from neoai_utils.continual.agreement import Agreement
from neoai_utils.errors import ParameterError

WEAK = [1, 3]
LABELS = torch.tensor(WEAK).repeat(20)


def sure(classes: list[int], strength: float = 5.0, outputs: int = 10) -> torch.Tensor:
    """Logits that predict the given classes."""
    return strength * torch.nn.functional.one_hot(torch.tensor(classes), outputs).float()


def test_both_halves_count_as_much_as_they_have_classes() -> None:
    teacher = torch.cat([sure([0, 2, 4, 5]), sure([6, 7, 8, 9], strength=1.0)])
    validation = Agreement(teacher, LABELS)
    assert sorted(validation.rows.tolist()) == [0, 1, 2, 3]
    held_out = sure([1] * 40)
    grades = validation.grade(sure([0, 2, 4, 9, 0, 0, 0, 0]), held_out)
    assert grades.parts == {"agreement": 0.75, "held-out weak": 0.5}
    assert grades.score == pytest.approx(0.8 * 0.75 + 0.2 * 0.5)


def test_a_teacher_that_is_surest_of_a_weak_class_is_asked_for_the_best_old_one() -> None:
    teacher = sure([1, 0, 2, 4]) + sure([5, 5, 5, 5], strength=1.0)
    validation = Agreement(teacher, LABELS)
    assert not set(validation.predicted.tolist()) & set(WEAK)


def test_neither_the_teacher_nor_a_network_that_knows_weak_classes_only_is_best() -> None:
    rng = np.random.default_rng(0)
    old = [0, 2, 4, 5, 6, 7, 8, 9]
    truth = rng.choice(old, 400).tolist()
    teacher = sure(truth)
    validation = Agreement(teacher, LABELS)
    right = sure(LABELS.tolist())
    rows = {
        "teacher": validation.grade(teacher, sure([0] * 40)),
        "weak only": validation.grade(sure([1] * 400), right),
        "both": validation.grade(sure([1] * 40 + truth[40:]), right),
    }
    assert simplest_of_best(compare(rows, higher_is_better=True)) == "both"


def test_the_standard_error_is_that_of_two_independent_means() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.integers(0, 10, 800).tolist()
    validation = Agreement(sure([0] * 800), LABELS)
    held_out = sure(np.where(rng.random(40) < 0.5, LABELS.numpy(), 0).tolist())
    grades = validation.grade(sure(predicted), held_out)
    old, weak = grades.parts["agreement"], grades.parts["held-out weak"]
    expected = np.sqrt(0.8**2 * old * (1 - old) / 400 + 0.2**2 * weak * (1 - weak) / 40)
    assert grades.error == pytest.approx(expected, rel=0.25)


def test_the_examples_are_those_of_the_grades() -> None:
    validation = Agreement(sure([0, 2, 4, 5, 6, 7]), LABELS)
    logits, held_out = sure([0, 2, 9, 9, 9, 9]), sure([1] * 40)
    examples, classes, weights = validation.examples(logits, held_out)
    correct = (examples.argmax(dim=1) == classes).float()
    assert float(weights.sum()) == pytest.approx(1)
    assert float(correct @ weights) == pytest.approx(validation.grade(logits, held_out).score)


@pytest.mark.parametrize("pictures", [1, 2, 3])
def test_a_handful_of_pictures_is_enough(pictures: int) -> None:
    validation = Agreement(sure([0] * pictures), torch.tensor([1]))
    grades = validation.grade(sure([0] * pictures), sure([1]))
    assert (grades.score, grades.error) == (pytest.approx(1.0), pytest.approx(0.0))


def test_no_old_class_and_no_picture_are_refused() -> None:
    with pytest.raises(ParameterError, match="at least one old class"):
        Agreement(sure([0]), torch.arange(10))
    with pytest.raises(ParameterError, match="unlabelled pictures"):
        Agreement(torch.zeros(0, 10), LABELS)
