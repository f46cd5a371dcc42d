"""Out-of-fold features, weights, fills, and the protocol that keeps held-out targets out."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, eye_array
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from neoai_utils.errors import DataWarning
from neoai_utils.tabular import trial as trial_module
from neoai_utils.tabular.group_means import group_means
from neoai_utils.tabular.imputation import median_fill_with_flags, regression_fill
from neoai_utils.tabular.metric import fourth_root_mse
from neoai_utils.tabular.stacking import TimeCurve, out_of_fold
from neoai_utils.tabular.transforms import box_cox
from neoai_utils.tabular.trial import Setting, Trial, held_out_rows
from neoai_utils.tabular.weights import density_ratio, low_target_weights


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


def test_a_course_is_found_from_certain_rows() -> None:
    course = np.sin(np.arange(50) / 8)
    model = TimeCurve(1e-9).fit(csr_array(eye_array(50)), course)
    np.testing.assert_allclose(model.curve_, course, atol=1e-6)


def test_a_course_is_found_from_rows_that_lie_in_one_of_two_minutes() -> None:
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


def test_density_ratio_finds_the_shift() -> None:
    rng = np.random.default_rng(0)
    train = pd.DataFrame({"x": rng.normal(0, 1, 4000)})
    alike, area = density_ratio(train, pd.DataFrame({"x": rng.normal(0, 1, 2000)}))
    assert area == pytest.approx(0.5, abs=0.03)
    shifted, area = density_ratio(train, pd.DataFrame({"x": rng.normal(1, 1, 2000)}))
    assert area > 0.7
    assert shifted.mean() == pytest.approx(1)
    assert np.average(train["x"], weights=shifted) == pytest.approx(1, abs=0.2), "weighted rows resemble the test"
    assert np.average(train["x"], weights=alike) == pytest.approx(0, abs=0.15)


def test_low_targets_weigh_more() -> None:
    weight = low_target_weights(np.array([100.0, 200, 400]), 2)
    np.testing.assert_allclose(weight / weight[0], [1, 1 / 4, 1 / 16])
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(low_target_weights(np.array([1.0, 2.0]), 0), [1, 1])


@pytest.mark.parametrize("target", [[0.0, 1.0, 5.0], [-700.0, 0.0, 3.0], [-1.0, -1.0, -1.0]])
def test_weights_of_targets_without_a_power_fall_all_the_same(target: list[float]) -> None:
    values = np.array(target)
    with pytest.warns(DataWarning, match=f"goes down to {values.min():g}"):
        weight = low_target_weights(values, 2)
    assert (weight > 0).all()
    assert (np.diff(weight) <= 0).all()
    assert weight.mean() == pytest.approx(1)
    np.testing.assert_array_equal(low_target_weights(values, 0), np.ones(3))


def test_no_tiny_target_takes_all_the_weight() -> None:
    weight = low_target_weights(np.array([1e-300, *[100.0] * 999]), 2)
    assert np.isfinite(weight).all()
    assert weight[0] < 1000


def test_tables_of_a_row_or_two_cannot_be_told_apart() -> None:
    weight, area = density_ratio(pd.DataFrame({"x": np.arange(9.0)}), pd.DataFrame({"x": [100.0, 101.0]}))
    assert (weight.tolist(), area) == ([1.0] * 9, 0.5)


def test_tables_that_do_not_overlap_give_finite_weights() -> None:
    weight, area = density_ratio(pd.DataFrame({"x": np.arange(900.0)}), pd.DataFrame({"x": np.arange(900.0) + 1e6}))
    assert area > 0.99
    assert np.isfinite(weight).all()
    assert weight.min() > 0


def test_group_means_by_hand() -> None:
    table = pd.DataFrame({"hour": [1.0, 1, 2, np.nan], "x": [1.0, 3, np.nan, 7]})
    means = group_means(table, ["hour"], ["x"])
    np.testing.assert_array_equal(means["x_by_hour"], [2, 2, np.nan, np.nan])


def test_the_published_features(make_table) -> None:
    train, test = make_table(200, 0), make_table(50, 1)
    filled, filled_test = median_fill_with_flags(train, test)
    assert filled.shape[1] == filled_test.shape[1] == 25
    assert not filled.isna().any().any()
    assert not filled_test.isna().any().any()
    assert not {"feat_2", "minute_is_nan", "feat_0_is_nan", "feat_2_is_nan", "feat_3_is_nan"} & set(filled)
    gap = train["feat_1"].isna()
    np.testing.assert_array_equal(filled["feat_1_is_nan"], gap.astype(float))
    assert (filled.loc[gap, "feat_1"] == train["feat_1"].median()).all()
    assert (filled_test.loc[test["feat_1"].isna(), "feat_1"] == train["feat_1"].median()).all()
    assert (filled.loc[train["feat_0"].isna(), "feat_0_below_500"] == 0).all()


def test_regression_fills_what_the_others_tell(make_table) -> None:
    whole = make_table(800, 0, gaps=0.0)
    gaps = np.random.default_rng(1).random(whole.shape) < 0.1
    filled = regression_fill(whole.mask(gaps))
    np.testing.assert_allclose(filled.to_numpy()[~gaps], whole.to_numpy()[~gaps], rtol=0)
    assert np.abs(filled["feat_1"] - whole["feat_1"])[gaps[:, 1]].median() < 3
    spread = (whole["feat_1"] - whole["feat_1"].median()).abs()[gaps[:, 1]].median()
    assert spread > 50, "a median would be far off"


def test_columns_that_tell_nothing_are_filled(make_table) -> None:
    table = make_table(300, 0).assign(minute=30.0, feat_8=np.nan, feat_7=[5.0, *[np.nan] * 299])
    table.loc[::3, "minute"] = np.nan
    filled = regression_fill(table)
    assert list(filled.columns) == list(table.columns)
    assert not filled.isna().any().any()
    np.testing.assert_allclose(filled["minute"], 30.0)
    np.testing.assert_allclose(filled["feat_7"], 5.0)
    assert (filled["feat_8"] == 0).all()
    known = table.notna()
    np.testing.assert_array_equal(filled.where(known), table)


def test_a_constant_column_changes_no_other_fill(make_table) -> None:
    table = make_table(300, 0)
    more = regression_fill(table.assign(constant=7.0))
    np.testing.assert_allclose(more[table.columns], regression_fill(table), rtol=1e-6)


def test_the_published_features_of_other_sensors(make_table) -> None:
    table = make_table(50, 0).drop(columns=["feat_2", "feat_5", "feat_8"]).assign(feat_11=1.0)
    filled, _ = median_fill_with_flags(table, table)
    assert {"feat_11", "feat_0_below_500", "feat_7_above_1000"} <= set(filled)
    assert not {"feat_5_below_60", "feat_8_above_620"} & set(filled)


def test_means_of_no_columns(make_table) -> None:
    assert group_means(make_table(50, 0), ["day", "hour"], ()).shape == (50, 0)


@pytest.fixture
def trial() -> Trial:
    target = np.random.default_rng(0).uniform(200, 800, 300)
    return Trial(target, held_out_rows(300), np.ones(300), folds=3)


def test_held_out_rows_are_a_fixed_share() -> None:
    mask = held_out_rows(1000, 0.25, seed=3)
    assert mask.sum() == 250
    np.testing.assert_array_equal(mask, held_out_rows(1000, 0.25, seed=3))
    assert (mask != held_out_rows(1000, 0.25, seed=4)).any()


def test_held_out_targets_reach_no_fit(trial: Trial) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=400)})
    spoilt = trial.target.copy()
    spoilt[trial.held_out] = 1e6
    predictions = []
    for target in (trial.target, spoilt):
        one = Trial(target, trial.held_out, trial.importance, trial.folds)
        line = one.stack("line", LinearRegression(), table)
        predictions.append(one.predict_held_out(Setting(table, box_cox(0, 500), np.linspace(1, 2, 300), [line])))
    np.testing.assert_array_equal(*predictions)


def test_stacked_columns_belong_to_their_rows(trial: Trial) -> None:
    table = pd.DataFrame({"x": np.r_[trial.target, np.linspace(200, 800, 100)]})
    line = trial.stack("line", LinearRegression(), table)  # the input is the target: a line knows it exactly
    np.testing.assert_allclose(line.validating, trial.target)
    np.testing.assert_allclose(line.testing, table["x"])
    sparse = trial.stack("course", LinearRegression(), csr_array(table.to_numpy()))
    np.testing.assert_allclose(sparse.testing, table["x"])


def test_both_runs_are_those_done_alone(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fake(train, test, target, weight, inverse):
        seen.append((len(train), len(test), list(train.columns)))
        return np.full(len(test), 500.0)

    monkeypatch.setattr(trial_module, "train_and_predict", fake)
    table = pd.DataFrame({"x": np.arange(400.0)})
    setting = Setting(table, stacked=[trial.stack("line", LinearRegression(), table)])
    validation, prediction = trial.run(setting)
    assert validation == fourth_root_mse(trial.target[trial.held_out], np.full(75, 500.0))
    assert len(prediction) == 100
    assert sorted(seen) == [(225, 75, ["x", "line"]), (300, 100, ["x", "line"])]


def test_importance_weights_the_validation(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial_module, "train_and_predict", lambda train, test, *rest: np.full(len(test), 500.0))
    first = np.flatnonzero(trial.held_out)[0]
    only = Trial(trial.target, trial.held_out, np.eye(300)[first], trial.folds)
    table = pd.DataFrame({"x": np.arange(400.0)})
    assert only.validate(Setting(table)) == pytest.approx(np.sqrt(abs(trial.target[first] - 500)))
