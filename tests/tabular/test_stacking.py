"""Out-of-fold features, and the course of the target in time."""

from __future__ import annotations

import tracemalloc

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, eye_array
from sklearn.neighbors import KNeighborsRegressor

from neoai_utils.tabular.stacking import TimeCurve, out_of_fold


def test_no_row_is_predicted_from_its_own_target() -> None:
    features = np.arange(60.0)[:, None]
    target = np.random.default_rng(0).normal(size=60)
    nearest = KNeighborsRegressor(1)
    assert np.array_equal(nearest.fit(features, target).predict(features), target), "in-fold it would be perfect"
    guess = out_of_fold(nearest, features, target, features[:5])
    assert not np.isclose(guess[:60], target).any()
    np.testing.assert_array_equal(guess[60:], target[:5])
    moved = target.copy()
    moved[7] += 100
    assert out_of_fold(nearest, features, moved, features[:5])[7] == guess[7]


def test_a_course_is_fitted_to_certain_rows() -> None:
    course = np.sin(np.arange(50) / 8)
    model = TimeCurve(1e-9).fit(csr_array(eye_array(50)), course)
    np.testing.assert_allclose(model.curve_, course, atol=1e-6)


def test_a_course_is_fitted_to_rows_that_lie_in_one_of_two_minutes() -> None:
    rng = np.random.default_rng(0)
    course = 500 + 100 * np.sin(np.arange(40) / 6)
    dense = np.zeros((3000, 40))
    for row in dense:
        first, second = rng.choice(40, 2, replace=False)
        row[first], row[second] = 0.7, 0.3
    minute = np.array([rng.choice(40, p=row) for row in dense])
    model = TimeCurve(0.1).fit(csr_array(dense), course[minute] + rng.normal(0, 1, 3000))
    assert np.abs(model.curve_ - course).max() < 25
    naive = np.array([course[minute][dense[:, m] > 0.5].mean() for m in range(40)])
    assert np.abs(model.curve_ - course).mean() < np.abs(naive - course).mean() / 2, "mixing is undone"


def dense_course(where: csr_array, target: np.ndarray, smoothness: float) -> np.ndarray:
    """The normal equations, written out."""
    steps = np.diff(np.eye(where.shape[1]), axis=0)
    system = (where.T @ where).toarray() + smoothness * steps.T @ steps
    return target.mean() + np.linalg.solve(system, where.T @ (target - target.mean()))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 60), st.integers(1, 300), st.sampled_from([0.01, 1.0, 100.0]))
def test_the_course_solves_the_normal_equations(seed: int, minutes: int, rows: int, smoothness: float) -> None:
    rng = np.random.default_rng(seed)
    chances = rng.random((rows, minutes)) * (rng.random((rows, minutes)) < rng.choice([0.05, 0.3, 1.0]))
    chances[np.arange(rows), rng.integers(minutes, size=rows) // 2] += 0.1  # few or no rows late
    where = csr_array(chances / chances.sum(axis=1, keepdims=True))
    target = rng.uniform(100, 900, rows)
    curve = TimeCurve(smoothness).fit(where, target).curve_
    np.testing.assert_allclose(curve, dense_course(where, target, smoothness), atol=1e-5)


def test_the_course_of_a_million_minutes_takes_memory_in_proportion() -> None:
    minute = np.sort(np.random.default_rng(0).integers(0, 1_000_000, 20_000))
    where = csr_array((np.ones(20_000), (np.arange(20_000), minute)), shape=(20_000, 1_000_000))
    tracemalloc.start()
    model = TimeCurve().fit(where, np.sin(minute / 50_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6
    assert np.abs(model.curve_ - np.sin(np.arange(1_000_000) / 50_000)).max() < 0.02


def test_smoothness_bridges_minutes_without_rows() -> None:
    where = csr_array(eye_array(5).tocsr()[[0, 1, 3, 4]])
    model = TimeCurve(1e-6).fit(where, np.array([0.0, 10, 30, 40]))
    np.testing.assert_allclose(model.curve_, [0, 10, 20, 30, 40], atol=1e-3)
