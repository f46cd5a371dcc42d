"""The competition's trainer, which may not be changed: LightGBM, absolute error, 500 rounds.

The statement's function `clf_train` takes the prepared tables, the target, row weights and an inverse of the target.
Everything else is fixed ("You cannot change the code of the clf_train function"). The constants here cannot be changed
at run time, and the function takes no further setting. The organisers' run had no seed and no fixed number of threads.
`REPRODUCIBLE` adds LightGBM's deterministic mode, so that the same tables always give the same predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neoai_utils.arrays import Float64
from neoai_utils.errors import ParameterError

__all__ = ["PARAMETERS", "REPRODUCIBLE", "ROUNDS", "check_inverse", "gains", "train_and_predict"]

Inverse = Callable[[Float64], ArrayLike]

PARAMETERS: Mapping[str, object] = MappingProxyType(
    {
        "learning_rate": 0.1,
        "num_leaves": 48,
        "lambda_l1": 1,
        "lambda_l2": 1,
        "min_data_in_leaf": 100,
        "objective": "mae",
        "verbosity": -1,
    }
)
"""LightGBM's settings as the statement gives them."""

REPRODUCIBLE: Mapping[str, object] = MappingProxyType(
    {"deterministic": True, "force_row_wise": True, "num_threads": 1, "seed": 0}
)
"""What is added so that a run can be repeated."""

ROUNDS = 500
"""Boosting rounds."""


def train_and_predict(
    train: pd.DataFrame,
    test: pd.DataFrame,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    inverse: Inverse | None = None,
) -> Float64:
    """Train the fixed model and predict the test rows, as the competition's `clf_train` does.

    Args:
        train: (rows, features) numbers or pandas categories, NaN allowed.
        test: (test rows, features), the same columns in the same order.
        target: (rows,) transformed target.
        weight: (rows,) weights of the training rows; None for ones.
        inverse: maps predictions back to the target's scale, elementwise and monotone; None for no change.

    Returns:
        (test rows,) predictions in the target's original scale.

    Raises:
        ParameterError: the tables' columns differ, a column holds text or infinities, the target or a weight is not
            finite, a weight is negative, all weights are zero, or `inverse` is not elementwise monotone.
    """
    values = np.asarray(target, dtype=np.float64)
    weights = np.ones(len(train)) if weight is None else np.asarray(weight, dtype=np.float64)
    _check(train, test, values, weights)
    if inverse is not None:  # before the training, which takes seconds
        margin = 0.05 * (values.max() - values.min())
        check_inverse(inverse, np.linspace(values.min() - margin, values.max() + margin, 257))
    predictions = np.asarray(_train(train, values, weights).predict(test), dtype=np.float64)
    return predictions if inverse is None else check_inverse(inverse, predictions)


def gains(train: pd.DataFrame, target: ArrayLike, weight: ArrayLike | None = None) -> pd.Series:
    """Return how much the splits of each feature reduce the fixed model's loss, as shares of 1, largest first.

    Args:
        train: (rows, features), as in `train_and_predict`.
        target: (rows,) transformed target.
        weight: (rows,) weights of the training rows; None for ones.

    Raises:
        ParameterError: as in `train_and_predict`.
    """
    values = np.asarray(target, dtype=np.float64)
    weights = np.ones(len(train)) if weight is None else np.asarray(weight, dtype=np.float64)
    _check(train, train, values, weights)
    gain = _train(train, values, weights).feature_importance("gain")
    return pd.Series(gain / max(gain.sum(), 1e-12), train.columns).sort_values(ascending=False)


def _train(train: pd.DataFrame, target: Float64, weight: Float64) -> lgb.Booster:
    data = lgb.Dataset(train, target, weight=weight)
    return lgb.train({**PARAMETERS, **REPRODUCIBLE}, data, num_boost_round=ROUNDS)


def check_inverse(inverse: Inverse, values: Float64) -> Float64:
    """Apply an inverse to values and check that it only rescales them.

    An inverse that depends on positions, on the number of rows or on other rows could return the predictions of
    another model, which the rules forbid. So it is applied to the values, to the values in another order, and to half
    of them. Equal inputs must give equal outputs, and the outputs must increase or decrease with the inputs.

    Args:
        inverse: the function to check.
        values: (n,) predictions in the transformed scale.

    Returns:
        (n,) rescaled values.

    Raises:
        ParameterError: the results disagree, are not monotone, are all the same, or are not finite.
    """
    order = np.random.default_rng(0).permutation(len(values))
    half = order[: max(1, len(order) // 2)]
    result = _apply(inverse, values)
    if not np.isfinite(result).all():
        raise ParameterError(
            f"the inverse gives {result[~np.isfinite(result)][0]} for {values[~np.isfinite(result)][0]}."
        )
    elementwise = np.array_equal(_apply(inverse, values[order]), result[order])
    if not elementwise or not np.array_equal(_apply(inverse, values[half]), result[half]):
        raise ParameterError("the inverse is not elementwise: its output for a value depends on the other rows.")
    ascending = np.argsort(values, kind="stable")
    steps, inputs = np.diff(result[ascending]), np.diff(values[ascending])
    if not ((steps >= 0).all() or (steps <= 0).all()) or (steps[inputs == 0] != 0).any():
        raise ParameterError("the inverse is not monotone; only a rescaling of the model's predictions is allowed.")
    if inputs.any() and not steps.any():
        raise ParameterError("the inverse is constant; it must keep what the model predicts.")
    return result


def _apply(inverse: Inverse, values: Float64) -> Float64:
    result = np.asarray(inverse(values.copy()), dtype=np.float64)
    if result.shape != values.shape:
        raise ParameterError(f"the inverse turns {values.shape} values into {result.shape}; it must be elementwise.")
    return result


def _check(train: pd.DataFrame, test: pd.DataFrame, target: Float64, weight: Float64) -> None:
    if list(train.columns) != list(test.columns):
        unshared = sorted(set(train.columns) ^ set(test.columns)) or "the same columns in another order"
        raise ParameterError(f"the training and test tables must have the same columns; they differ in {unshared}.")
    for name, values in (("target", target), ("weight", weight)):
        if values.shape != (len(train),):
            raise ParameterError(
                f"{name} must have one value for each of {len(train)} rows; its shape is {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ParameterError(f"{name} of row {int((~np.isfinite(values)).argmax())} is not finite.")
    if (weight < 0).any() or not weight.any():
        raise ParameterError("weights must not be negative, and at least one must be positive.")
    for table, name in ((train, "training"), (test, "test")):
        for column in table:
            _check_column(table[column], f"the {name} table's column {column!r}")


def _check_column(values: pd.Series, where: str) -> None:
    if isinstance(values.dtype, pd.CategoricalDtype):
        return
    if not pd.api.types.is_numeric_dtype(values):
        raise ParameterError(f"{where} holds {values.dtype} values. Turn them into numbers or pandas categories.")
    if np.isinf(values.to_numpy(np.float64, na_value=np.nan)).any():
        raise ParameterError(f"{where} has an infinite value; NaN stands for what is missing.")
