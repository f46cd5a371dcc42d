"""Rows from context words: sparsemax, and a gain where contexts are informative."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neoai_utils.embeddings import contexts, cooccurrence, damage


@given(arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 30)), elements=st.floats(-5, 5)))
@settings(max_examples=100)
def test_sparsemax_is_the_nearest_point_of_the_simplex(scores):
    for row, weights in zip(scores, contexts.sparsemax(scores), strict=True):
        assert weights.min() >= 0
        assert weights.sum() == pytest.approx(1)
        # optimality: where weights are positive, score minus weight is one constant, elsewhere the score is below it
        level = (row - weights)[weights > 1e-12]
        assert np.ptp(level) < 1e-9
        assert (row[weights == 0] <= level.max() + 1e-9).all()


def test_contexts_repair_what_spelling_cannot(contexts_case):
    case, texts, intact = contexts_case
    base = np.tile(case.mean, (20, 1))
    for rows in (contexts.a_la_carte(case, texts, base), contexts.focus(case, texts, base, size=6)):
        assert damage.centred_cosine(rows, intact[case.lost], case.mean).mean() > 0.5


def test_tokens_outside_the_texts_keep_their_row(contexts_case):
    case, texts, _ = contexts_case
    absent = int(case.lost[0])
    fewer = [text for text in texts if absent not in text]
    base = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    for rows in (contexts.a_la_carte(case, fewer, base), contexts.focus(case, fewer, base, size=6)):
        assert np.array_equal(rows[0], base[0])
        assert not np.array_equal(rows[1], base[1])


def test_a_la_carte_is_weighted_ridge_regression(contexts_case):
    case, texts, _ = contexts_case
    base = np.tile(case.mean, (20, 1))
    frequency = cooccurrence.counts(texts, 72)
    near = cooccurrence.neighbour_counts(texts, 72)
    means = cooccurrence.neighbour_means(near, contexts.centred(case, base), frequency).astype(float)
    x, y = means[case.donors], case.table[case.donors] - case.mean
    weight = np.sqrt(frequency[case.donors])[:, None]
    gram = x.T @ (weight * x)
    gram += 2.0 * np.trace(gram) / len(gram) * np.eye(len(gram))
    plain = case.mean + means[case.lost] @ np.linalg.solve(gram, x.T @ (weight * y))
    assert contexts.a_la_carte(case, texts, base, penalty=2.0) == pytest.approx(plain, abs=1e-3)
