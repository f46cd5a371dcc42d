"""The fixed trainer: exactly the competition's, repeatable, and closed to predictions made elsewhere."""

from __future__ import annotations

import inspect

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.errors import ParameterError
from neoai_utils.tabular import fixed_lightgbm
from neoai_utils.tabular.fixed_lightgbm import check_inverse, gains, train_and_predict
from neoai_utils.tabular.transforms import IDENTITY


@pytest.fixture(scope="module")
def data() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(900, 3)), columns=["a", "b", "noise"]).mask(rng.random((900, 3)) < 0.1)
    target = 500 + 100 * table["a"].fillna(0) + 30 * table["b"].fillna(0) ** 2
    return table[:700], table[700:], target.to_numpy()[:700]


def test_the_constants_are_the_competitions() -> None:
    assert dict(fixed_lightgbm.PARAMETERS) == {
        "learning_rate": 0.1,
        "num_leaves": 48,
        "lambda_l1": 1,
        "lambda_l2": 1,
        "min_data_in_leaf": 100,
        "objective": "mae",
        "verbosity": -1,
    }
    assert fixed_lightgbm.ROUNDS == 500


def test_what_is_added_only_makes_it_repeatable() -> None:
    assert dict(fixed_lightgbm.REPRODUCIBLE) == {
        "deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 0,
    }  # fmt: skip
    assert not set(fixed_lightgbm.REPRODUCIBLE) & set(fixed_lightgbm.PARAMETERS)


def test_no_argument_and_no_assignment_changes_them() -> None:
    arguments = set(inspect.signature(train_and_predict).parameters)
    assert arguments == {"train", "test", "target", "weight", "inverse"}
    with pytest.raises(TypeError):
        fixed_lightgbm.PARAMETERS["num_leaves"] = 64


def test_it_is_lightgbm_as_the_statement_calls_it(data) -> None:
    train, test, target = data
    statement = {
        "learning_rate": 0.1, "num_leaves": 48, "lambda_l1": 1, "lambda_l2": 1, "min_data_in_leaf": 100,
        "objective": "mae", "verbosity": -1, "num_threads": 1,
    }  # fmt: skip
    weight = np.linspace(0.5, 2, len(train))
    model = lgb.train(statement, lgb.Dataset(train, np.log(target), weight=weight), num_boost_round=500)
    ours = train_and_predict(train, test, np.log(target), weight, np.exp)
    np.testing.assert_allclose(ours, np.exp(model.predict(test)), rtol=1e-9)


def test_same_tables_same_predictions(data) -> None:
    train, test, target = data
    np.testing.assert_array_equal(train_and_predict(train, test, target), train_and_predict(train, test, target))


def test_gains_find_the_feature_that_matters(data) -> None:
    train, _, target = data
    shares = gains(train, target)
    assert shares.index[0] == "a"
    assert shares.sum() == pytest.approx(1)


def test_the_identity_and_a_falling_inverse_are_accepted() -> None:
    values = np.linspace(1, 2, 11)
    np.testing.assert_array_equal(check_inverse(IDENTITY.inverse, values), values)
    np.testing.assert_array_equal(check_inverse(lambda z: 1 / z, values), 1 / values)


ELSEWHERE = np.random.default_rng(1).uniform(100, 900, 200)


@pytest.mark.parametrize(
    ("inverse", "words"),
    [
        (lambda z: ELSEWHERE if len(z) == len(ELSEWHERE) else z, "elementwise"),  # returns what another model said
        (lambda z: np.sort(ELSEWHERE)[: len(z)] if len(z) <= 200 else z, "elementwise|shape|into"),
        (lambda z: z - z.mean(), "elementwise"),
        (lambda z: np.arange(len(z), dtype=float), "elementwise"),
        (np.sin, "monotone"),
        (np.abs, "monotone"),
        (lambda z: np.zeros_like(z), "constant"),
        (lambda z: z[:-1], "into"),
        (lambda z: np.where(z > 600, np.nan, z), "gives nan"),
    ],
)
def test_an_inverse_that_is_no_rescaling_is_refused(inverse, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        check_inverse(inverse, np.random.default_rng(2).uniform(-100, 900, 200))


def test_a_cheating_inverse_is_refused_by_the_trainer(data) -> None:
    train, test, target = data
    with pytest.raises(ParameterError, match="elementwise"):
        train_and_predict(train, test, target, inverse=lambda z: ELSEWHERE if len(z) == len(test) else z)


@settings(max_examples=25)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30), st.floats(0.01, 3))
def test_any_increasing_map_passes_and_is_applied(values: list[float], slope: float) -> None:
    array = np.array(values)
    if len(np.unique(np.arctan(slope * array))) == 1 and len(np.unique(array)) > 1:
        return  # flat within floating point
    np.testing.assert_array_equal(check_inverse(lambda z: np.arctan(slope * z), array), np.arctan(slope * array))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: (d[0], d[1].rename(columns={"b": "c"}), d[2], None), "'b', 'c'"),
        (lambda d: (d[0], d[1][["b", "a", "noise"]], d[2], None), "another order"),
        (lambda d: (d[0], d[1], d[2][:-1], None), "target must have one value"),
        (lambda d: (d[0], d[1], np.where(np.arange(700) == 9, np.nan, d[2]), None), "target of row 9"),
        (lambda d: (d[0], d[1], d[2], np.full(700, -1.0)), "negative"),
        (lambda d: (d[0], d[1], d[2], np.zeros(700)), "positive"),
        (lambda d: (d[0], d[1], d[2], np.full(700, np.inf)), "weight of row 0"),
        (lambda d: (d[0].assign(a=np.inf), d[1], d[2], None), "training table's column 'a' has an infinite"),
        (lambda d: (d[0], d[1].assign(a=-np.inf), d[2], None), "test table's column 'a' has an infinite"),
        (lambda d: (d[0].assign(a="high"), d[1], d[2], None), "training table's column 'a' holds .* values. Turn them"),
    ],
)
def test_bad_input_is_refused_before_training(data, change, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        train_and_predict(*change(data))


def test_whole_numbers_truth_values_and_categories_are_taken(data) -> None:
    train, test, target = data
    kinds = {"whole": pd.Series([1, None], dtype="Int64"), "true": pd.Series([True, False])}
    kinds |= {"word": pd.Series(["on", "off"], dtype="category"), "empty": pd.Series([np.nan, np.nan])}
    more = {name: kind.iloc[np.arange(900) % 2].array for name, kind in kinds.items()}
    both = pd.concat([train, test]).assign(**more)
    assert np.isfinite(train_and_predict(both[:700], both[700:], target)).all()


def test_a_constant_target_is_predicted(data) -> None:
    train, test, _ = data
    np.testing.assert_allclose(train_and_predict(train, test, np.full(700, 3.0), inverse=lambda z: z), 3.0)
