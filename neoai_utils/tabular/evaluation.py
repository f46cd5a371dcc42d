"""One experiment of the ladder: features, target transform, row weights and stacked models, for the fixed trainer.

Each experiment is run twice. First a part of the training rows is held out and predicted from the rest; this gives the
validation score, by which choices are made. Then the trainer sees all training rows and predicts the test rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from neoai_utils.arrays import Float64, Integers, Mask
from neoai_utils.scores import Grades
from neoai_utils.tabular.fixed_lightgbm import gains, train_and_predict
from neoai_utils.tabular.metric import grade
from neoai_utils.tabular.stacking import out_of_fold
from neoai_utils.tabular.transforms import IDENTITY, Transform

__all__ = ["Evaluator", "Experiment", "StackedFeature", "held_out_rows"]


def held_out_rows(rows: int, share: float = 0.25, seed: int = 0) -> Mask:
    """Return a (rows,) mask with a random `share` of True, one row at least."""
    drawn = np.random.default_rng(seed).permutation(rows)[: max(1, round(share * rows))]
    return np.isin(np.arange(rows), drawn)


@dataclass(frozen=True)
class StackedFeature:
    """Out-of-fold predictions of a free model, as a feature; made by `Evaluator.stack`.

    Attributes:
        name: of the feature.
        validating: (train rows,) its values while a part of the training rows is held out.
        testing: (rows of both tables,) its values when the test table is predicted.
    """

    name: str
    validating: Float64
    testing: Float64


@dataclass(frozen=True)
class Experiment:
    """What the rules leave free: the features, the target's scale, the row weights and how often a row is given.

    A trainer with a minimum of rows in a leaf counts copies as rows. Where each row is given four times, a leaf of a
    hundred needs 25 different ones.

    Attributes:
        table: (rows of both tables, features), training rows first.
        transform: of the target.
        weight: (train rows,) weights for the trainer; None for ones.
        stacked: out-of-fold predictions that are added as features.
        copies: how often the trainer gets each training row, at least 1.
    """

    table: pd.DataFrame
    transform: Transform = IDENTITY
    weight: Float64 | None = None
    stacked: Sequence[StackedFeature] = ()
    copies: int = 1


@dataclass(frozen=True)
class Evaluator:
    """Validates experiments and predicts the test table by them; all share these settings.

    Attributes:
        target: (train rows,) the target.
        held_out: (train rows,) True for rows that validate.
        importance: (train rows,) weights that make the held-out rows resemble the test table.
        folds: parts for out-of-fold predictions.
        seed: shuffles the rows into parts.
    """

    target: Float64
    held_out: Mask
    importance: Float64
    folds: int = 5
    seed: int = 0

    def stack(self, name: str, model: Any, inputs: Any) -> StackedFeature:
        """Return the out-of-fold predictions of a model; held-out rows are predicted without their targets.

        Args:
            name: of the new feature.
            model: a regressor in scikit-learn's form.
            inputs: (rows of both tables, ...) what the model sees: a table or a sparse matrix.
        """

        def predictions(fit: Integers, other: Integers) -> Float64:
            seen, unseen = _rows(inputs, fit), _rows(inputs, other)
            return out_of_fold(model, seen, self.target[fit], unseen, folds=self.folds, seed=self.seed)

        fit, held = self._split()
        train, test = np.split(np.arange(inputs.shape[0]), [len(self.target)])
        inside, testing = Parallel(n_jobs=2, prefer="threads")(
            delayed(predictions)(*rows) for rows in ((fit, held), (train, test))
        )
        validating = np.empty(len(self.target))
        validating[np.concatenate([fit, held])] = inside
        return StackedFeature(name, validating, testing)

    def run(self, experiment: Experiment, *, test: bool) -> tuple[Float64, Float64 | None]:
        """Return the results of `predict_held_out` and, if `test`, of `predict_test` (else None).

        Both run at the same time on two cores, because LightGBM releases Python's lock.
        """
        if not test:
            return self.predict_held_out(experiment), None
        jobs = (delayed(self.predict_held_out)(experiment), delayed(self.predict_test)(experiment))
        held_out, predictions = Parallel(n_jobs=2, prefer="threads")(jobs)
        return held_out, predictions

    def validate(self, predictions: Float64) -> Grades:
        """Return the grades of (held-out rows,) predictions, weighted by `importance`."""
        return grade(predictions, self.target[self.held_out], self.importance[self.held_out])

    def predict_held_out(self, experiment: Experiment) -> Float64:
        """Return predictions for the held-out rows, in their order; their targets take no part in any fit."""
        stacked = {feature.name: feature.validating for feature in experiment.stacked}
        table = experiment.table.iloc[: len(self.target)].assign(**stacked)
        return self._predict(experiment, table, *self._split())

    def predict_test(self, experiment: Experiment) -> Float64:
        """Return the (test rows,) predictions of the fixed model that saw all training rows."""
        table = experiment.table.assign(**{feature.name: feature.testing for feature in experiment.stacked})
        return self._predict(experiment, table, *np.split(np.arange(len(table)), [len(self.target)]))

    def _split(self) -> tuple[Integers, Integers]:
        """Return the indices of the training rows that are fitted, and of those that are held out."""
        return np.flatnonzero(~self.held_out), np.flatnonzero(self.held_out)

    def gains(self, experiment: Experiment) -> pd.Series:
        """Return `fixed_lightgbm.gains` of the model that predicts the test table."""
        table = experiment.table.assign(**{feature.name: feature.testing for feature in experiment.stacked})
        return gains(*_training(experiment, table, self.target, np.arange(len(self.target))))

    def _predict(self, experiment: Experiment, table: pd.DataFrame, fit: Integers, other: Integers) -> Float64:
        train, target, weight = _training(experiment, table, self.target, fit)
        return train_and_predict(train, table.iloc[other], target, weight, experiment.transform.inverse)


def _training(
    experiment: Experiment, table: pd.DataFrame, target: Float64, fit: Integers
) -> tuple[pd.DataFrame, Float64, Float64 | None]:
    """Return what the trainer gets for the rows `fit`: each row's copies, their targets and weights."""
    rows = np.repeat(fit, experiment.copies)
    weight = None if experiment.weight is None else experiment.weight[rows]
    return table.iloc[rows], experiment.transform.forward(target[rows]), weight


def _rows(inputs: Any, rows: Integers) -> Any:
    return inputs.iloc[rows] if isinstance(inputs, pd.DataFrame) else inputs[rows]
