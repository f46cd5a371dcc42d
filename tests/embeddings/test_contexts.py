"""Company: counts by hand, closed forms against refitting, and a gain where company is informative."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neoai_utils.embeddings import contexts, damage, stacking


def test_neighbours_are_counted_by_place():
    near = contexts.neighbours([[1, 2, 3], [1, 2]], 5)
    assert near[1].toarray()[1, 2] == 2  # twice, 2 stands right of 1
    assert near[-1].toarray()[2, 1] == 2
    assert near[2].toarray()[1, 3] == 1
    assert near[-2].toarray()[3, 1] == 1
    assert near[1].toarray()[3].sum() == 0  # texts do not run into each other
    assert contexts.counts([[1, 2, 3], [1, 2]], 5).tolist() == [0, 2, 2, 1, 0]


def test_neighbour_means_by_hand():
    table = np.arange(10, dtype=np.float32).reshape(5, 2)
    means = contexts.neighbour_means(contexts.neighbours([[1, 2, 3]], 5), table, np.array([0, 1, 1, 1, 0]), damp=1e9)
    assert means.shape == (5, 8)
    assert means[2].tolist() == [2, 3, 6, 7, 0, 0, 0, 0]  # left: row 1, right: row 3
    assert means[1].tolist() == [0, 0, 4, 5, 0, 0, 6, 7]
    assert not means[4].any()


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


def random_kernel(size, rng):
    rows = rng.normal(size=(size, 6))
    return rows @ rows.T + 1e-6 * np.eye(size)


def test_correction_is_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge

    rng = np.random.default_rng(0)
    kernel, missed = random_kernel(40, rng), rng.normal(size=(30, 3))
    plain = KernelRidge(alpha=0.5, kernel="precomputed").fit(kernel[:30, :30], missed).predict(kernel[30:, :30])
    assert contexts.correct(kernel, missed, np.full(30, 0.5)) == pytest.approx(plain, abs=1e-4)


def test_leave_one_out_is_refitting_without_each():
    rng = np.random.default_rng(1)
    kernel, missed, noise = random_kernel(20, rng), rng.normal(size=(20, 3)), rng.uniform(0.2, 2, 20)
    quick = contexts.leave_one_out(kernel, missed, noise)
    for i in range(20):
        others = np.delete(np.arange(20), i)
        order = np.append(others, i)
        plain = contexts.correct(kernel[np.ix_(order, order)], missed[others], noise[others])
        assert quick[i] == pytest.approx(plain[0], abs=1e-4)


def test_noise_is_chosen_by_what_is_left_out():
    rng = np.random.default_rng(2)
    kernel = random_kernel(60, rng)
    signal = kernel @ rng.normal(size=(60, 4))
    zeros, mean = np.zeros((60, 4), np.float32), np.zeros(4, np.float32)
    quiet, _ = contexts.choose_noise(kernel, signal.astype(np.float32), zeros, mean, np.ones(60, int))
    noisy = (signal + 30 * rng.normal(size=signal.shape)).astype(np.float32)
    loud, rows = contexts.choose_noise(kernel, noisy, zeros, mean, np.ones(60, int))
    assert quiet.mean() <= loud.mean()
    assert quiet.mean() == pytest.approx(min(contexts.NOISE_LEVELS) * (1 + min(contexts.NOISE_DOUBTS)))
    assert rows.shape == noisy.shape


@pytest.fixture(scope="module")
def company():
    """Sixty words without telling spelling in three groups, each with its own neighbours; a third is lost."""
    rng = np.random.default_rng(3)
    words = [f"w{i}" for i in range(60)] + [f"c{i}" for i in range(12)]
    centre = rng.normal(size=(3, 8)) * 2
    table = np.vstack([centre[np.arange(60) % 3], rng.normal(size=(12, 8))]) + 0.2 * rng.normal(size=(72, 8))
    texts = []
    for _ in range(1500):
        word = int(rng.integers(60))
        texts.append([60 + 4 * (word % 3) + int(rng.integers(4)), word, 60 + 4 * (word % 3) + int(rng.integers(4))])
    intact = table.astype(np.float32)
    broken = intact.copy()
    broken[rng.choice(60, 20, replace=False)] = 0
    return damage.find(broken, words), texts, intact


def test_company_kernel_is_a_kernel_that_knows_the_groups(company):
    case, texts, _ = company
    tokens = np.arange(60)
    kernel = contexts.company_kernel(texts, contexts.centred(case, np.tile(case.mean, (20, 1))), tokens, columns=72)
    assert kernel == pytest.approx(kernel.T, abs=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-4
    same = np.arange(60)[:, None] % 3 == np.arange(60) % 3
    assert kernel[same & ~np.eye(60, dtype=bool)].mean() > 1.3 * kernel[~same].mean()


def test_company_repairs_what_spelling_cannot(company):
    case, texts, intact = company
    base = np.tile(case.mean, (20, 1))
    frequency = contexts.counts(texts, 72)
    known = contexts.frequent(case.donors, case.words, frequency)
    unseen = np.tile(case.mean, (len(known), 1))
    rows, left_out = stacking.correct_by_company(case, texts, base, known, unseen)
    assert damage.centred_cosine(rows, intact[case.lost], case.mean).mean() > 0.8
    assert damage.centred_cosine(left_out, intact[known], case.mean).mean() > 0.5
    for repair in (contexts.a_la_carte(case, texts, base), contexts.focus(case, texts, base, size=6)):
        assert damage.centred_cosine(repair, intact[case.lost], case.mean).mean() > 0.5


def test_tokens_outside_the_texts_keep_their_spelling(company):
    case, texts, _ = company
    absent = int(case.lost[0])
    fewer = [text for text in texts if absent not in text]
    base = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    known = contexts.frequent(case.donors, case.words, contexts.counts(fewer, 72))
    rows, _ = stacking.correct_by_company(case, fewer, base, known, np.tile(case.mean, (len(known), 1)))
    for repair in (rows, contexts.a_la_carte(case, fewer, base), contexts.focus(case, fewer, base, size=6)):
        assert np.array_equal(repair[0], base[0])
        assert not np.array_equal(repair[1], base[1])
