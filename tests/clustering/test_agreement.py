"""Agreement and consensus of labellings."""

from __future__ import annotations

import numpy as np

from neoai_utils.clustering import agreement


def test_agreement_of_equal_and_of_unrelated_labellings():
    labels = np.arange(1000) % 10
    assert agreement.agreement([labels, 9 - labels, labels]) == 1.0
    assert abs(agreement.agreement([labels, np.random.default_rng(0).integers(0, 10, 1000)])) < 0.02


def test_products_of_consensus_rows_are_shares_of_agreeing_labellings():
    labelings = [np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([2, 2, 2, 0])]
    rows = agreement.consensus(labelings)
    expected = np.mean([labels[:, None] == labels[None] for labels in labelings], axis=0)
    assert np.allclose(rows @ rows.T, expected)


def test_the_consensus_outvotes_a_bad_labelling():
    labels = np.arange(120) % 4
    bad = np.random.default_rng(0).integers(0, 4, 120)
    found = agreement.consensus_clusters([labels, 3 - labels, labels, bad], 4, seed=0)
    assert agreement.agreement([found, labels]) == 1.0
