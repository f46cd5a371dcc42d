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
from joblib import Parallel, delayed
from numpy.typing import NDArray

from neoai_utils.tabular.fixed_lightgbm import train_and_predict
from neoai_utils.tabular.metric import fourth_root_mse
from neoai_utils.tabular.stacking import out_of_fold
from neoai_utils.tabular.transforms import IDENTITY, Transform

__all__ = ["Setting", "Stacked", "Trial", "held_out_rows"]

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
class Setting:
    """The free levers of one experiment.

    Attributes:
        table: (rows of both tables, features), training rows first.
        transform: of the target.
        weight: (train rows,) weights for the trainer; None for ones.
        stacked: models whose out-of-fold predictions are added as features.
    """

    table: pd.DataFrame
    transform: Transform = IDENTITY
    weight: Floats | None = None
    stacked: Sequence[Stacked] = ()


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

    def run(self, setting: Setting) -> tuple[float, Floats]:
        """Return `validate` and `predict_test`, done at the same time on two cores (LightGBM frees Python's lock)."""
        jobs = (delayed(self.validate)(setting), delayed(self.predict_test)(setting))
        score, prediction = Parallel(n_jobs=2, prefer="threads")(jobs)
        return score, prediction

    def validate(self, setting: Setting) -> float:
        """Return the metric on the held-out rows, weighted by `importance`."""
        held = self.held_out
        return fourth_root_mse(self.target[held], self.predict_held_out(setting), self.importance[held])

    def predict_held_out(self, setting: Setting) -> Floats:
        """Return predictions for the held-out rows, in their order; their targets take no part in any fit."""
        return self._predict(setting, np.flatnonzero(~self.held_out), np.flatnonzero(self.held_out))

    def predict_test(self, setting: Setting) -> Floats:
        """Return the (test rows,) predictions of the fixed model that saw all training rows."""
        train, test = np.split(np.arange(len(setting.table)), [len(self.target)])
        return self._predict(setting, train, test)

    def _predict(self, setting: Setting, fit: Rows, other: Rows) -> Floats:
        target = self.target[fit]
        table = setting.table.iloc[np.concatenate([fit, other])]
        for part in setting.stacked:
            seen, unseen = _rows(part.inputs, fit), _rows(part.inputs, other)
            guess = out_of_fold(part.model, seen, target, unseen, folds=self.folds, seed=self.seed)
            table = table.assign(**{part.name: guess})
        return train_and_predict(
            table.iloc[: len(fit)],
            table.iloc[len(fit) :],
            setting.transform.forward(target),
            None if setting.weight is None else setting.weight[fit],
            setting.transform.inverse,
        )


def _rows(inputs: Any, rows: Rows) -> Any:
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]
