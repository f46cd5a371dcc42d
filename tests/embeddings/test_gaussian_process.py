"""The Gaussian process: closed forms against refitting, and a gain where contexts are informative."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.embeddings import contexts, cooccurrence, damage, gaussian_process


def random_kernel(size, rng):
    rows = rng.normal(size=(size, 6))
    return rows @ rows.T + 1e-6 * np.eye(size)


def test_correction_is_kernel_ridge_regression():
    from sklearn.kernel_ridge import KernelRidge

    rng = np.random.default_rng(0)
    kernel, residuals = random_kernel(40, rng), rng.normal(size=(30, 3))
    plain = KernelRidge(alpha=0.5, kernel="precomputed").fit(kernel[:30, :30], residuals).predict(kernel[30:, :30])
    assert gaussian_process.posterior_mean(kernel, residuals, np.full(30, 0.5)) == pytest.approx(plain, abs=1e-4)


def test_leave_one_out_is_refitting_without_each():
    rng = np.random.default_rng(1)
    kernel, residuals, noise = random_kernel(20, rng), rng.normal(size=(20, 3)), rng.uniform(0.2, 2, 20)
    quick = gaussian_process.leave_one_out(kernel, residuals, noise)
    for i in range(20):
        others = np.delete(np.arange(20), i)
        order = np.append(others, i)
        plain = gaussian_process.posterior_mean(kernel[np.ix_(order, order)], residuals[others], noise[others])
        assert quick[i] == pytest.approx(plain[0], abs=1e-4)


def test_noise_is_chosen_by_what_is_left_out():
    rng = np.random.default_rng(2)
    kernel = random_kernel(60, rng)
    signal = kernel @ rng.normal(size=(60, 4))
    zeros, mean = np.zeros((60, 4), np.float32), np.zeros(4, np.float32)
    quiet, _ = gaussian_process.choose_noise(kernel, signal.astype(np.float32), zeros, mean, np.ones(60, int))
    noisy = (signal + 30 * rng.normal(size=signal.shape)).astype(np.float32)
    loud, rows = gaussian_process.choose_noise(kernel, noisy, zeros, mean, np.ones(60, int))
    assert quiet.mean() <= loud.mean()
    assert quiet.mean() == pytest.approx(min(gaussian_process.NOISE_LEVELS) * (1 + min(gaussian_process.NOISE_COUNTS)))
    assert rows.shape == noisy.shape


def test_context_kernel_is_a_kernel_that_separates_the_groups(contexts_case):
    case, texts, _ = contexts_case
    ids = np.arange(60)
    table = contexts.centred(case, np.tile(case.mean, (20, 1)))
    kernel = gaussian_process.context_kernel(texts, table, ids, context_tokens=72)
    assert kernel == pytest.approx(kernel.T, abs=1e-6)
    assert np.linalg.eigvalsh(kernel).min() > -1e-4
    same = np.arange(60)[:, None] % 3 == np.arange(60) % 3
    assert kernel[same & ~np.eye(60, dtype=bool)].mean() > 1.3 * kernel[~same].mean()


def test_contexts_correct_what_spelling_cannot(contexts_case):
    case, texts, intact = contexts_case
    base = np.tile(case.mean, (20, 1))
    donors = cooccurrence.frequent(case.donors, case.tokens, cooccurrence.counts(texts, 72))
    donor_rows = np.tile(case.mean, (len(donors), 1))
    rows, left_out = gaussian_process.correct_by_context(case, texts, base, donors, donor_rows)
    assert damage.centred_cosine(rows, intact[case.lost], case.mean).mean() > 0.8
    assert damage.centred_cosine(left_out, intact[donors], case.mean).mean() > 0.5


def test_tokens_outside_the_texts_keep_their_spelling(contexts_case):
    case, texts, _ = contexts_case
    absent = int(case.lost[0])
    fewer = [text for text in texts if absent not in text]
    base = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    donors = cooccurrence.frequent(case.donors, case.tokens, cooccurrence.counts(fewer, 72))
    donor_rows = np.tile(case.mean, (len(donors), 1))
    rows, _ = gaussian_process.correct_by_context(case, fewer, base, donors, donor_rows)
    assert np.array_equal(rows[0], base[0])
    assert not np.array_equal(rows[1], base[1])
