"""Repairs from pieces and spelling: known answers, plain references, and better than the mean on word families."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.embeddings import damage, ngrams, ranks, stacking, substrings, wordpiece

TOKENS = st.text(alphabet="ab#c", min_size=1, max_size=6)


def score(case, intact, rows):
    speaks = np.array([not damage.silent(case.words[i]) for i in case.lost])
    return damage.centred_cosine(rows, intact[case.lost], case.mean)[speaks].mean()


@given(st.lists(TOKENS, max_size=20), st.sets(TOKENS, max_size=30))
@settings(max_examples=200)
def test_lookup_finds_what_the_nested_scan_finds(words, vocabulary):
    known = {token: i for i, token in enumerate(sorted(vocabulary))}
    assert substrings.subtokens(words, known) == substrings.nested_scan(words, known)


def test_substring_mean_and_its_fallbacks(case):
    found = [[case.donors[0], case.donors[3]], []]
    rows = substrings.substring_mean(case, found)
    assert rows[0] == pytest.approx((case.table[case.donors[0]] + case.table[case.donors[3]]) / 2)
    assert rows[1] == pytest.approx(case.mean)
    wild = substrings.substring_mean(case, found, lambda n: np.full((n, 8), 9, np.float32))
    assert (wild[1] == 9).all()


@pytest.mark.parametrize(
    ("token", "cut"),
    [
        ("walking", ["walk", "##ing"]),
        ("##king", ["##k", "##ing"]),
        ("sing", ["s", "##ing"]),
        ("s", ["s"]),
        ("##", []),
        ("walké", []),
    ],
)
def test_wordpiece_cut(token, cut):
    known = {w: i for i, w in enumerate(["walk", "##ing", "##k", "##i", "s", "i"])}
    assert wordpiece.pieces(token, known) == [known[p] for p in cut]


def test_wordpiece_cut_agrees_with_the_tokenizer(tiny_model):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    known = tokenizer.get_vocab()
    for word in ("walkings", "jumper", "hunted", "zebra", "clean"):
        assert wordpiece.pieces(word, known) == tokenizer(word, add_special_tokens=False)["input_ids"]


def test_spelling_marks_borders_and_whole_words():
    assert ngrams.spell("ab", 1, 2) == ["<", "a", "b", ">", "<a", "ab", "b>", "=ab"]
    assert set(ngrams.spell("##ing", 2, 3)) <= set(ngrams.spell("ing", 2, 3))


def test_ridge_is_the_closed_form(case):
    spelling = ngrams.features(case.words, 1, 4)
    rows = ngrams.ridge(spelling, case, alpha=0.7, iterations=200)
    x, q = spelling[case.donors].toarray(), spelling[case.lost].toarray()
    y = case.table[case.donors] - case.mean
    plain = case.mean + q @ np.linalg.solve(x.T @ x + 0.7 * np.eye(x.shape[1]), x.T @ y)
    assert rows == pytest.approx(plain, abs=1e-3)


def test_ridge_learns_only_what_its_prior_leaves(case):
    spelling = ngrams.features(case.words, 1, 4)
    prior = np.random.default_rng(0).normal(size=case.table.shape).astype(np.float32)
    prior[case.donors] = case.table[case.donors]  # nothing is left to learn
    assert ngrams.ridge(spelling, case, prior) == pytest.approx(prior[case.lost], abs=1e-5)


def test_hats_share_each_token_between_two_knots():
    basis = ranks.hats(tuple(["a"] * 50 + ["##b"] * 50), count=7)
    assert basis.shape == (100, 14)
    assert basis.sum(axis=1) == pytest.approx(1)
    assert ((basis > 0).sum(axis=1) <= 2).all()
    assert not basis[:50, :7].any()  # word starts and continuations have knots of their own
    assert not basis[50:, 7:].any()


def test_number_predicts_rows_that_follow_it():
    """Rows that are a smooth function of the number are found again; the order of the others is not disturbed."""
    place = np.log(np.arange(600) + 300)
    truth = np.stack([np.sin(3 * place), place, -place], axis=1).astype(np.float32)
    case = damage.find(damage.break_rows(truth, 200, 0), [f"w{i}" for i in range(600)])
    rows = ranks.expected(case, count=20, penalty=0.01)
    assert rows.shape == truth.shape
    assert np.abs(rows[case.lost] - truth[case.lost]).max() < 0.02


def test_nearest_is_the_plain_loop(case):
    spelling = ngrams.features(case.words, 2, 4)
    rows = ngrams.nearest(spelling, case, count=3, power=2)
    dense = spelling.toarray()
    for place in (0, 7):
        cosine = dense[case.donors] @ dense[case.lost[place]]
        top = np.argsort(-cosine, kind="stable")[:3]
        top = top[cosine[top] > 0]
        weight = cosine[top] ** 2
        plain = case.mean + weight @ (case.table[case.donors[top]] - case.mean) / (weight.sum() + 0.05)
        assert rows[place] == pytest.approx(plain, abs=1e-4)


def test_a_token_that_shares_nothing_gets_the_mean(case):
    spelling = ngrams.features(case.words, 2, 4)
    spelling[case.lost[0]] *= 0
    spelling.eliminate_zeros()
    assert ngrams.nearest(spelling, case)[0] == pytest.approx(case.mean)
    assert ngrams.ridge(spelling, case)[0] == pytest.approx(case.mean, abs=1e-5)


def test_learning_from_spelling_beats_pieces_on_word_families(case, intact):
    spelling = ngrams.features(case.words, 1, 5)
    ridge, nearest = ngrams.ridge(spelling, case), ngrams.nearest(ngrams.features(case.words, 3, 5), case)
    pieces = wordpiece.wordpiece_mean(case)
    assert score(case, intact, ridge) > 0.7
    assert score(case, intact, nearest) > 0.5
    assert score(case, intact, ridge) > score(case, intact, pieces) + 0.1


def test_repairs_never_see_the_truth(case, intact):
    """The rows are the same whatever stood in the lost places."""
    other = damage.find(np.where(case.table == 0, 0, case.table), case.words)
    spelling = ngrams.features(case.words, 1, 5)
    assert np.array_equal(ngrams.ridge(spelling, case), ngrams.ridge(spelling, other))
    assert not case.table[case.lost].any()
    assert intact[case.lost].all(axis=1).any()


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
