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
    assert head.lowest_shift(logits, torch.zeros(200, dtype=torch.int64), WEAK) == 0, "none is correct"


def test_logits_of_features_are_the_networks(tiny: TinyVit, pixels: np.ndarray) -> None:
    found = head.logits(tiny, inference.features(tiny, pixels))
    torch.testing.assert_close(found, inference.logits(tiny, pixels))


@pytest.mark.parametrize(("by", "scale"), [(-2.0, 1.0), (1.5, 0.5)])
def test_a_bias_of_the_weak_logits_is_found_and_undone(by: float, scale: float) -> None:
    """Labels are drawn from the true probabilities; the given logits are the true ones, changed by a known bias."""
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(20_000, 6, generator=generator)
    labels = torch.multinomial(true.softmax(dim=1), 1, generator=generator)[:, 0]
    biased = head.shift(true, [1, 4], -by / scale, 1 / scale)
    found = head.bias_correction(biased, labels, torch.ones(20_000), [1, 4])
    assert found == pytest.approx((by, scale), abs=0.06)


def test_pictures_without_weight_do_not_take_part_in_the_bias_correction() -> None:
    logits = torch.randn(400, 5, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(400) % 5
    weights = torch.cat([torch.ones(200), torch.zeros(200)])
    whole, part = (head.bias_correction(logits[:n], labels[:n], weights[:n], [0, 1]) for n in (400, 200))
    assert whole == pytest.approx(part, abs=1e-3)
