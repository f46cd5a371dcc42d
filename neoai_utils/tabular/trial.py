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
    """Out-of-fold predictions of a free model, as a feature; made by `Trial.stack`.

    Attributes:
        name: of the feature.
        validating: (train rows,) its values while a part of the training rows is held out.
        testing: (rows of both tables,) its values when the test table is predicted.
    """

    name: str
    validating: Floats
    testing: Floats


def held_out_rows(rows: int, share: float = 0.25, seed: int = 0) -> NDArray[np.bool_]:
    """Return a (rows,) mask with a random `share` of True, one row at least."""
    chosen = np.random.default_rng(seed).permutation(rows)[: max(1, round(share * rows))]
    return np.isin(np.arange(rows), chosen)


@dataclass(frozen=True)
class Setting:
    """The free levers of one experiment.

    Attributes:
        table: (rows of both tables, features), training rows first.
        transform: of the target.
        weight: (train rows,) weights for the trainer; None for ones.
        stacked: out-of-fold predictions that are added as features.
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

    def stack(self, name: str, model: Any, inputs: Any) -> Stacked:
        """Return the out-of-fold predictions of `model`; held-out rows are predicted without their targets.

        Args:
            name: of the new feature.
            model: a regressor in scikit-learn's form.
            inputs: (rows of both tables, ...) what the model sees: a table or a sparse matrix.
        """

        def guess(fit: Rows, other: Rows) -> Floats:
            seen, unseen = _rows(inputs, fit), _rows(inputs, other)
            return out_of_fold(model, seen, self.target[fit], unseen, folds=self.folds, seed=self.seed)

        fit, held = self._validating()
        train, test = np.split(np.arange(inputs.shape[0]), [len(self.target)])
        inside, testing = Parallel(n_jobs=2, prefer="threads")(
            delayed(guess)(*rows) for rows in ((fit, held), (train, test))
        )
        validating = np.empty(len(self.target))
        validating[np.concatenate([fit, held])] = inside
        return Stacked(name, validating, testing)

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
        extra = {part.name: part.validating for part in setting.stacked}
        table = setting.table.iloc[: len(self.target)].assign(**extra)
        return self._predict(setting, table, *self._validating())

    def predict_test(self, setting: Setting) -> Floats:
        """Return the (test rows,) predictions of the fixed model that saw all training rows."""
        table = setting.table.assign(**{part.name: part.testing for part in setting.stacked})
        return self._predict(setting, table, *np.split(np.arange(len(table)), [len(self.target)]))

    def _validating(self) -> tuple[Rows, Rows]:
        return np.flatnonzero(~self.held_out), np.flatnonzero(self.held_out)

    def _predict(self, setting: Setting, table: pd.DataFrame, fit: Rows, other: Rows) -> Floats:
        return train_and_predict(
            table.iloc[fit],
            table.iloc[other],
            setting.transform.forward(self.target[fit]),
            None if setting.weight is None else setting.weight[fit],
            setting.transform.inverse,
        )


def _rows(inputs: Any, rows: Rows) -> Any:
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]
