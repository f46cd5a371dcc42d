"""Steering vectors and clamping."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neoai_utils.steering import vectors
from neoai_utils.steering.generation import Writer
from neoai_utils.steering.hooks import steered
from tests.steering.conftest import sparse_states


def test_difference_points_to_humans() -> None:
    human, machine = np.full((4, 3), 2.0), np.array([[1.0, 2.0, 5.0]] * 2)
    assert vectors.difference(human, machine).tolist() == [1, 0, -3]


def test_latents_add_up_with_their_deltas() -> None:
    rows, delta = torch.eye(5)[:, :4], torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert vectors.from_latents(rows, delta, [1, 3]).tolist() == [0, 2, 0, 4]


def test_a_rebuilt_vector_keeps_its_length_and_drops_the_rest() -> None:
    rows = torch.tensor([[1.0, 0, 0], [1.0, 1.0, 0], [0, 0, 1.0]])
    found = vectors.rebuilt(torch.tensor([3.0, 4.0, 12.0]), rows, [0, 1])
    assert found.tolist() == pytest.approx([13 * 0.6, 13 * 0.8, 0])
    whole = torch.tensor([3.0, 4.0, 12.0])
    assert torch.allclose(vectors.rebuilt(whole, rows, [0, 1, 2]), whole, atol=1e-5)


def test_clamping_sets_latents_and_keeps_the_error(sae) -> None:
    hidden = sparse_states(5, seed=3).view(1, 5, 24)
    found = sae.encode(hidden)
    strong = int(found.sum((0, 1)).argmax())
    changed = vectors.clamping(sae, {strong: 0.0, 5: 2.0})(hidden)
    wanted = found.clone()
    wanted[..., strong], wanted[..., 5] = 0.0, 2.0
    error = hidden - sae.decode(found)
    assert torch.allclose(changed, sae.decode(wanted) + error, atol=1e-4)


def test_clamping_to_what_is_there_changes_nothing(sae) -> None:
    hidden = sparse_states(1, seed=4).view(1, 1, 24)
    found = sae.encode(hidden)[0, 0]
    same = vectors.clamping(sae, {i: float(found[i].detach()) for i in range(48)})(hidden)
    assert torch.allclose(same, hidden, atol=1e-5)


def test_clamping_steers_a_model(sae, writer: Writer) -> None:
    ids = torch.tensor([[1, 5, 6, 7]])
    with torch.inference_mode():
        before = writer.model(ids).logits
        with steered(writer.model, {1: vectors.clamping(sae, {0: 9.0, 1: 9.0})}):
            within = writer.model(ids).logits
    assert (within - before).abs().max() > 1e-3
