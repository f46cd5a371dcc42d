"""Character n-grams, nearest neighbours and ridge regression: plain references, and word families."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.embeddings import damage, ngrams, wordpiece


def score(case, intact, rows):
    is_word = np.array([not damage.is_special(case.tokens[i]) for i in case.lost])
    return damage.centred_cosine(rows, intact[case.lost], case.mean)[is_word].mean()


def test_spelling_marks_borders_and_whole_words():
    assert ngrams.character_ngrams("ab", 1, 2) == ["<", "a", "b", ">", "<a", "ab", "b>", "=ab"]
    assert set(ngrams.character_ngrams("##ing", 2, 3)) <= set(ngrams.character_ngrams("ing", 2, 3))


def test_ridge_is_the_closed_form(case):
    spelling = ngrams.features(case.tokens, 1, 4)
    rows = ngrams.ridge(spelling, case, alpha=0.7, iterations=200)
    x, q = spelling[case.donors].toarray(), spelling[case.lost].toarray()
    y = case.table[case.donors] - case.mean
    plain = case.mean + q @ np.linalg.solve(x.T @ x + 0.7 * np.eye(x.shape[1]), x.T @ y)
    assert rows == pytest.approx(plain, abs=1e-3)


def test_ridge_learns_only_what_its_prior_leaves(case):
    spelling = ngrams.features(case.tokens, 1, 4)
    prior = np.random.default_rng(0).normal(size=case.table.shape).astype(np.float32)
    prior[case.donors] = case.table[case.donors]  # nothing is left to learn
    assert ngrams.ridge(spelling, case, prior) == pytest.approx(prior[case.lost], abs=1e-5)


def test_nearest_is_the_plain_loop(case):
    spelling = ngrams.features(case.tokens, 2, 4)
    rows = ngrams.nearest(spelling, case, count=3, power=2)
    dense = spelling.toarray()
    for row in (0, 7):
        cosine = dense[case.donors] @ dense[case.lost[row]]
        top = np.argsort(-cosine, kind="stable")[:3]
        top = top[cosine[top] > 0]
        weight = cosine[top] ** 2
        plain = case.mean + weight @ (case.table[case.donors[top]] - case.mean) / (weight.sum() + 0.05)
        assert rows[row] == pytest.approx(plain, abs=1e-4)


def test_a_token_that_shares_nothing_gets_the_mean(case):
    spelling = ngrams.features(case.tokens, 2, 4)
    spelling[case.lost[0]] *= 0
    spelling.eliminate_zeros()
    assert ngrams.nearest(spelling, case)[0] == pytest.approx(case.mean)
    assert ngrams.ridge(spelling, case)[0] == pytest.approx(case.mean, abs=1e-5)


def test_learning_from_spelling_beats_wordpiece_on_word_families(case, intact):
    spelling = ngrams.features(case.tokens, 1, 5)
    ridge, nearest = ngrams.ridge(spelling, case), ngrams.nearest(ngrams.features(case.tokens, 3, 5), case)
    from_wordpiece = wordpiece.wordpiece_mean(case)
    assert score(case, intact, ridge) > 0.7
    assert score(case, intact, nearest) > 0.5
    assert score(case, intact, ridge) > score(case, intact, from_wordpiece) + 0.1


def test_repairs_never_see_the_truth(case, intact):
    """The rows are the same whatever stood in the lost rows."""
    other = damage.find(np.where(case.table == 0, 0, case.table), case.tokens)
    spelling = ngrams.features(case.tokens, 1, 5)
    assert np.array_equal(ngrams.ridge(spelling, case), ngrams.ridge(spelling, other))
    assert not case.table[case.lost].any()
    assert intact[case.lost].all(axis=1).any()
