"""No picture is judged by a network that saw it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import checkpoint, head, inference
from neoai_utils.continual.holding_out import held_out_logits
from tests.continual.conftest import LABELS, OLD


@pytest.mark.parametrize("labels", [LABELS, [*range(12)], [0, 0, *range(10)]], ids=["three", "one", "two"])
def test_each_picture_is_judged_once_by_a_network_without_it(tiny: TinyVit, pixels: np.ndarray, labels) -> None:
    """The networks are marked by the rows that they were fitted to: class 0's bias is their number."""
    seen: dict[float, set[int]] = {}

    def fit(rows: np.ndarray) -> TinyVit:
        marked = checkpoint.clone(tiny)
        with torch.no_grad():
            marked.head.fc.bias[0] = 100.0 * (len(seen) + 1)
        seen[100.0 * len(seen) + 100] = set(rows.tolist())
        return marked

    found = held_out_logits(pixels, torch.tensor(labels), fit)
    plain = inference.logits(tiny, pixels, flip=True)
    torch.testing.assert_close(found[:, 1:], plain[:, 1:])
    marks = (found[:, 0] - plain[:, 0] + tiny.head.fc.bias[0].detach()).round(decimals=2).tolist()
    assert len(seen) == 3
    assert all(row not in seen[mark] for row, mark in enumerate(marks))
    assert all(len(rows) == 8 for rows in seen.values())


def test_two_pictures_are_enough(tiny: TinyVit, pixels: np.ndarray) -> None:
    features = inference.features(tiny, pixels[:2])
    labels = torch.tensor([4, 5])
    found = held_out_logits(pixels[:2], labels, lambda rows: head.imprint(tiny, features[rows], labels[rows], OLD))
    assert found.shape == (2, 102)
    assert found.isfinite().all()
