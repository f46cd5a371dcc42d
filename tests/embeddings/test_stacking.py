"""Mixtures of repairs, and the length of rows."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.embeddings import stacking


def test_stacking_finds_the_right_mixture():
    rng = np.random.default_rng(0)
    truth, mean = rng.normal(size=(400, 5)).astype(np.float32), np.zeros(5, np.float32)
    noise = rng.normal(size=(400, 5)).astype(np.float32)
    lost = [truth[:3] + 1, np.ones((3, 5), np.float32)]
    mixed = stacking.stack([truth + noise, noise], truth, lost, mean, penalty=1e-3)
    assert mixed == pytest.approx(truth[:3], abs=1e-2)


def test_norm_matching_gives_the_usual_length(case):
    rng = np.random.default_rng(0)
    rows = (case.mean + rng.normal(size=(16, 8)) * 0.01).astype(np.float32)
    rows[3] = case.mean
    full = np.linalg.norm(stacking.match_norm(case, rows) - case.mean, axis=1)
    usual = np.median(np.linalg.norm(case.table[case.donors] - case.mean, axis=1))
    assert np.delete(full, 3) == pytest.approx(usual, rel=1e-3)
    assert full[3] == pytest.approx(0)
    assert stacking.match_norm(case, rows, 0.0) == pytest.approx(rows)
