"""Imprinted rows, aligned lengths and shifted logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import head, inference
from neoai_utils.errors import ParameterError
from tests.continual.conftest import LABELS, OLD, WEAK


def test_imprinted_rows_point_at_their_class_and_are_as_long_as_old_ones(tiny: TinyVit, pixels: np.ndarray) -> None:
    features = inference.features(tiny, pixels)
    changed = head.imprint(tiny, features, torch.tensor(LABELS), OLD)
    assert torch.equal(changed.head.fc.weight[OLD], tiny.head.fc.weight[OLD])
    assert torch.allclose(head.row_norms(changed)[WEAK], head.row_norms(tiny)[OLD].mean())
    means = head.class_means(features, torch.tensor(LABELS), WEAK) - features.mean(dim=0)
    assert torch.allclose(torch.cosine_similarity(changed.head.fc.weight[WEAK], means), torch.ones(4), atol=1e-5)
    level = tiny.head.fc(features.mean(dim=0))[OLD].mean()
    assert torch.allclose(changed.head.fc(features.mean(dim=0))[WEAK], level, atol=1e-4)


def test_a_class_without_pictures_cannot_be_imprinted() -> None:
    with pytest.raises(ParameterError, match="class 7 has no labelled picture"):
        head.class_means(torch.ones(2, 3), torch.tensor([4, 4]), [4, 7])


def test_aligned_rows_have_equal_mean_lengths_and_directions_of_before(tiny: TinyVit) -> None:
    changed = head.align(tiny, WEAK, OLD)
    norms = head.row_norms(changed)
    assert float(norms[WEAK].mean()) == pytest.approx(float(norms[OLD].mean()), rel=1e-5)
    assert torch.allclose(torch.cosine_similarity(changed.head.fc.weight, tiny.head.fc.weight), torch.ones(102))


def test_shift_moves_only_the_weak_and_trades_monotonically() -> None:
    logits = torch.randn(200, 102)
    shares = []
    for by in (-3.0, -1.0, 0.0, 1.0, 3.0):
        moved = head.shift(logits, WEAK, by)
        assert torch.equal(moved[:, OLD], logits[:, OLD])
        assert torch.allclose(moved[:, WEAK], logits[:, WEAK] + by)
        shares.append(float(torch.isin(moved.argmax(dim=1), torch.tensor(WEAK)).float().mean()))
    assert shares == sorted(shares)


def test_the_lowest_shift_keeps_nine_in_ten_of_the_correct_predictions() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor(WEAK).repeat(50)
    logits = torch.randn(200, 102, generator=generator)
    logits[torch.arange(200), labels] += 4
    correct = logits.argmax(dim=1) == labels
    lowest = head.lowest_shift(logits, labels, WEAK)
    kept = [
        (head.shift(logits, WEAK, lowest + step).argmax(dim=1) == labels)[correct].float().mean()
        for step in (1e-4, -1e-4)
    ]
    assert kept[0] >= 0.9 - 1 / int(correct.sum())
    assert kept[1] < kept[0]
    with pytest.raises(ParameterError, match="no held-out picture"):
        head.lowest_shift(logits, torch.zeros(200, dtype=torch.int64), WEAK)
