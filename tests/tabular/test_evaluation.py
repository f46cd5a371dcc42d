"""Experiments: held-out targets reach no fit, and both runs are those done alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LinearRegression

from neoai_utils.tabular import evaluation
from neoai_utils.tabular.evaluation import Evaluator, Experiment, held_out_rows
from neoai_utils.tabular.metric import fourth_root_mse
from neoai_utils.tabular.transforms import box_cox


@pytest.fixture
def evaluator() -> Evaluator:
    target = np.random.default_rng(0).uniform(200, 800, 300)
    return Evaluator(target, held_out_rows(300), np.ones(300), folds=3)


def test_held_out_rows_are_a_fixed_share() -> None:
    mask = held_out_rows(1000, 0.25, seed=3)
    assert mask.sum() == 250
    np.testing.assert_array_equal(mask, held_out_rows(1000, 0.25, seed=3))
    assert (mask != held_out_rows(1000, 0.25, seed=4)).any()


def test_held_out_targets_reach_no_fit(evaluator: Evaluator) -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=400)})
    spoilt = evaluator.target.copy()
    spoilt[evaluator.held_out] = 1e6
    predictions = []
    for target in (evaluator.target, spoilt):
        one = Evaluator(target, evaluator.held_out, evaluator.importance, evaluator.folds)
        line = one.stack("line", LinearRegression(), table)
        predictions.append(one.predict_held_out(Experiment(table, box_cox(0, 500), np.linspace(1, 2, 300), [line])))
    np.testing.assert_array_equal(*predictions)


def test_stacked_columns_belong_to_their_rows(evaluator: Evaluator) -> None:
    table = pd.DataFrame({"x": np.r_[evaluator.target, np.linspace(200, 800, 100)]})
    line = evaluator.stack("line", LinearRegression(), table)  # the input is the target: a line knows it exactly
    np.testing.assert_allclose(line.validating, evaluator.target)
    np.testing.assert_allclose(line.testing, table["x"])
    sparse = evaluator.stack("course", LinearRegression(), csr_array(table.to_numpy()))
    np.testing.assert_allclose(sparse.testing, table["x"])


def test_both_runs_are_those_done_alone(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fake(train, test, target, weight, inverse):
        seen.append((len(train), len(test), list(train.columns)))
        return np.full(len(test), 500.0)

    monkeypatch.setattr(evaluation, "train_and_predict", fake)
    table = pd.DataFrame({"x": np.arange(400.0)})
    experiment = Experiment(table, stacked=[evaluator.stack("line", LinearRegression(), table)])
    held_out, predictions = evaluator.run(experiment, test=True)
    assert evaluator.validate(held_out).score == fourth_root_mse(
        evaluator.target[evaluator.held_out], np.full(75, 500.0)
    )
    assert (len(held_out), len(predictions)) == (75, 100)
    assert sorted(seen) == [(225, 75, ["x", "line"]), (300, 100, ["x", "line"])]
    assert evaluator.run(experiment, test=False)[1] is None
    assert len(seen) == 3, "nothing is predicted that nobody asked for"


def test_copies_reach_the_trainer_with_their_targets_and_weights(
    evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def fake(train, test, target, weight, inverse):
        seen.append(train.assign(target=target, weight=weight))
        return np.full(len(test), 500.0)

    monkeypatch.setattr(evaluation, "train_and_predict", fake)
    table = pd.DataFrame({"x": np.arange(400.0)})
    weight = np.arange(300.0)
    assert len(evaluator.predict_held_out(Experiment(table, weight=weight, copies=4))) == 75
    evaluator.predict_held_out(Experiment(table, weight=weight))
    pd.testing.assert_frame_equal(seen[0].iloc[::4], seen[1])
    pd.testing.assert_frame_equal(seen[0].iloc[3::4], seen[1])


def test_copies_make_smaller_leaves_possible() -> None:
    x = np.repeat([0.0, 1.0, 2.0, 3.0], 60)  # groups of 60 rows are too few for a leaf of 100
    evaluator = Evaluator(100 * (x % 2), np.arange(240) % 60 < 10, np.ones(240))
    alone, copied = (evaluator.predict_held_out(Experiment(pd.DataFrame({"x": x}), copies=k)) for k in (1, 4))
    assert evaluator.validate(copied).score < 0.2 * evaluator.validate(alone).score


def test_gains_are_those_of_the_model_that_predicts_the_test_table(evaluator: Evaluator) -> None:
    table = pd.DataFrame({"x": np.r_[evaluator.target, np.zeros(100)], "noise": np.arange(400.0) % 7})
    share = evaluator.gains(Experiment(table, box_cox(0, 500), np.linspace(1, 2, 300), copies=4))
    assert share.index[0] == "x"
    assert share.sum() == pytest.approx(1)


def test_importance_weights_the_validation(evaluator: Evaluator) -> None:
    first = np.flatnonzero(evaluator.held_out)[0]
    only = Evaluator(evaluator.target, evaluator.held_out, np.eye(300)[first] + 1e-12, evaluator.folds)
    assert only.validate(np.full(75, 500.0)).score == pytest.approx(np.sqrt(abs(evaluator.target[first] - 500)))
