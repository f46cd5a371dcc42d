"""One experiment of the ladder: features, target transform, weights and stacked models, through the fixed trainer.

Each is run twice. Once a part of the training rows is held out and predicted from the rest, which gives the validation
score that choices are made by. Once the trainer sees all training rows and predicts the test rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from neoai_utils.tabular.files import fourth_root_mse
from neoai_utils.tabular.fixed_lightgbm import train_and_predict
from neoai_utils.tabular.stacking import out_of_fold
from neoai_utils.tabular.transforms import IDENTITY, Transform

__all__ = ["Stacked", "Trial", "held_out_rows"]

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Stacked:
    """A free model whose out-of-fold prediction becomes a feature.

    Attributes:
        name: of the feature.
        model: a regressor in scikit-learn's form.
        inputs: (rows of both tables, ...) what the model sees: a table, or a sparse matrix.
    """

    name: str
    model: Any
    inputs: Any


def held_out_rows(rows: int, share: float = 0.25, seed: int = 0) -> NDArray[np.bool_]:
    """Return a (rows,) mask with a random `share` of True."""
    chosen = np.random.default_rng(seed).permutation(rows)[: round(share * rows)]
    return np.isin(np.arange(rows), chosen)


@dataclass(frozen=True)
class Trial:
    """What all experiments share.

    Attributes:
        target: (train rows,) the target.
        held_out: (train rows,) True for rows that validate.
        importance: (train rows,) weights that make the held-out rows resemble the test table.
        folds: parts for out-of-fold predictions.
        seed: shuffles the rows into parts.
    """

    target: Floats
    held_out: NDArray[np.bool_]
    importance: Floats
    folds: int = 5
    seed: int = 0

    def validate(
        self,
        table: pd.DataFrame,
        transform: Transform = IDENTITY,
        weight: Floats | None = None,
        stacked: Sequence[Stacked] = (),
    ) -> float:
        """Return the metric on the held-out rows, weighted by `importance`; they take no part in any fit.

        Args:
            table: (rows of both tables, features), training rows first.
            transform: of the target.
            weight: (train rows,) weights for the trainer; None for ones.
            stacked: models whose out-of-fold predictions are added as features.
        """
        fit, held = np.flatnonzero(~self.held_out), np.flatnonzero(self.held_out)
        prediction = self._predict(table, fit, held, transform, weight, stacked)
        return fourth_root_mse(self.target[held], prediction, self.importance[held])

    def predict_test(
        self,
        table: pd.DataFrame,
        transform: Transform = IDENTITY,
        weight: Floats | None = None,
        stacked: Sequence[Stacked] = (),
    ) -> Floats:
        """Return the (test rows,) predictions of the fixed model that saw all training rows; as in `validate`."""
        rows = np.arange(len(table))
        train, test = np.split(rows, [len(self.target)])
        return self._predict(table, train, test, transform, weight, stacked)

    def _predict(
        self,
        table: pd.DataFrame,
        fit: Rows,
        other: Rows,
        transform: Transform,
        weight: Floats | None,
        stacked: Sequence[Stacked],
    ) -> Floats:
        target = self.target[fit]
        both = table.iloc[np.concatenate([fit, other])]
        for part in stacked:
            seen, unseen = _rows(part.inputs, fit), _rows(part.inputs, other)
            guess = out_of_fold(part.model, seen, target, unseen, folds=self.folds, seed=self.seed)
            both = both.assign(**{part.name: guess})
        return train_and_predict(
            both.iloc[: len(fit)],
            both.iloc[len(fit) :],
            transform.forward(target),
            None if weight is None else weight[fit],
            transform.inverse,
        )


def _rows(inputs: Any, rows: Rows) -> Any:
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]
