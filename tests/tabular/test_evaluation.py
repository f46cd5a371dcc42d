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
    validation, predictions = evaluator.run(experiment, test=True)
    assert validation == fourth_root_mse(evaluator.target[evaluator.held_out], np.full(75, 500.0))
    assert len(predictions) == 100
    assert sorted(seen) == [(225, 75, ["x", "line"]), (300, 100, ["x", "line"])]
    assert evaluator.run(experiment, test=False) == (validation, None)
    assert len(seen) == 3, "nothing is predicted that nobody asked for"


def test_importance_weights_the_validation(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "train_and_predict", lambda train, test, *rest: np.full(len(test), 500.0))
    first = np.flatnonzero(evaluator.held_out)[0]
    only = Evaluator(evaluator.target, evaluator.held_out, np.eye(300)[first], evaluator.folds)
    table = pd.DataFrame({"x": np.arange(400.0)})
    assert only.validate(Experiment(table)) == pytest.approx(np.sqrt(abs(evaluator.target[first] - 500)))
