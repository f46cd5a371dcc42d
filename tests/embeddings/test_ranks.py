"""The basis over the vocabulary, and rows that follow the rank."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.embeddings import damage, ranks


def test_basis_shares_each_token_between_two_knots():
    basis = ranks.piecewise_linear_basis(tuple(["a"] * 50 + ["##b"] * 50), knots=7)
    assert basis.shape == (100, 14)
    assert basis.sum(axis=1) == pytest.approx(1)
    assert ((basis > 0).sum(axis=1) <= 2).all()
    assert not basis[:50, :7].any()  # word starts and continuations have knots of their own
    assert not basis[50:, 7:].any()


def test_rank_predicts_rows_that_follow_it():
    """Rows that are a smooth function of the rank are recovered."""
    position = np.log(np.arange(600) + 300)
    truth = np.stack([np.sin(3 * position), position, -position], axis=1).astype(np.float32)
    case = damage.find(damage.break_rows(truth, 200, 0), [f"w{i}" for i in range(600)])
    rows = ranks.expected(case, knots=20, penalty=0.01)
    assert rows.shape == truth.shape
    assert np.abs(rows[case.lost] - truth[case.lost]).max() < 0.02
