"""Weights of the training rows, one of the free levers of the competition."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from neoai_utils import errors
from neoai_utils.tabular.transforms import offset_to_positive

__all__ = ["density_ratio", "low_target_weights"]

Floats = NDArray[np.float64]


def density_ratio(train: pd.DataFrame, test: pd.DataFrame, *, folds: int = 3, seed: int = 0) -> tuple[Floats, float]:
    """Return how test-like each training row is, and how well the two tables can be told apart.

    A classifier learns to tell test rows from training rows ("adversarial validation"). Its out-of-fold probability p
    gives the ratio of the densities, p_test / p_train = p / (1 - p) up to a constant, and averages over training rows
    that are weighted by it estimate averages over test rows (Shimodaira 2000; Bickel et al. 2009).

    Args:
        train: (train rows, features), NaN allowed.
        test: (test rows, features), the same columns.
        folds: parts of the cross-validation.
        seed: shuffles the rows into parts.

    Returns:
        (train rows,) weights of mean 1; the area under the ROC curve, 0.5 where the tables are alike. A table of fewer
        rows than `folds` cannot be told from another; then all weights are 1.
    """
    if min(len(train), len(test)) < folds:
        return np.ones(len(train)), 0.5
    both = pd.concat([train, test], ignore_index=True)
    is_test = np.repeat([0, 1], [len(train), len(test)])
    model = lgb.LGBMClassifier(  # small trees and large leaves: p / (1 - p) punishes overconfidence
        n_estimators=100, num_leaves=8, min_child_samples=100, random_state=seed,
        n_jobs=1, deterministic=True, force_row_wise=True, verbose=-1,
    )  # fmt: skip
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, both, is_test, cv=parts, method="predict_proba")[:, 1]
    ratio = chance[: len(train)] / (1 - chance[: len(train)])
    return np.asarray(ratio / ratio.mean()), float(roc_auc_score(is_test, chance))


def low_target_weights(target: Floats, power: float) -> Floats:
    """Return weights in proportion to target^-power, (rows,), of mean 1.

    The trainer's absolute error counts a miss once, the metric squares it; the large misses lie where the target is
    low and rows are few, so weight there moves the trainer towards the metric. Targets below a thousandth of their mean
    weigh as much as that. Where some are 0 or less, target + c takes the target's place, with a warning.
    """
    offset = offset_to_positive(target)
    if offset and power:
        errors.warn(f"the target goes down to {target.min():g}; weights are powers of the target + {offset:g}.")
    positive = target + offset
    weight = np.maximum(positive, 1e-3 * positive.mean()) ** -power
    return np.asarray(weight / weight.mean())
