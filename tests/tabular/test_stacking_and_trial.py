"""Out-of-fold features, weights, fills, and the protocol that keeps held-out targets out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, eye_array
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

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
    with pytest.raises(ValueError, match="positive"):
        low_target_weights(np.array([1.0, 0.0]), 1)


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
