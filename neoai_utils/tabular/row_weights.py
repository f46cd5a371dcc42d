"""Weights of the training rows, which the rules leave free."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from neoai_utils import errors
from neoai_utils.arrays import Float64
from neoai_utils.tabular.transforms import offset_to_positive

__all__ = ["density_ratio", "power_weights"]

_FOLDS = 3


def density_ratio(train: pd.DataFrame, test: pd.DataFrame, *, seed: int = 0) -> tuple[Float64, float]:
    """Return how test-like each training row is, and how well the two tables can be told apart.

    A classifier learns to tell test rows from training rows ("adversarial validation"). Its out-of-fold probability p
    gives the ratio of the densities, p_test / p_train = p / (1 - p) up to a constant. Averages over training rows that
    are weighted by it estimate averages over test rows (Shimodaira 2000; Bickel et al. 2009).

    Args:
        train: (train rows, features), NaN allowed.
        test: (test rows, features), the same columns.
        seed: shuffles the rows into the three parts of the cross-validation.

    Returns:
        (train rows,) weights of mean 1; the area under the ROC curve, 0.5 where the tables are alike. With fewer than
        three rows in a table all weights are 1 and the area is 0.5.
    """
    if min(len(train), len(test)) < _FOLDS:
        return np.ones(len(train)), 0.5
    both = pd.concat([train, test], ignore_index=True)
    is_test = np.repeat([0, 1], [len(train), len(test)])
    model = lgb.LGBMClassifier(  # small trees and large leaves, because p / (1 - p) punishes overconfidence
        n_estimators=100, num_leaves=8, min_child_samples=100, random_state=seed,
        n_jobs=1, deterministic=True, force_row_wise=True, verbose=-1,
    )  # fmt: skip
    parts = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    probability = cross_val_predict(model, both, is_test, cv=parts, method="predict_proba")[:, 1]
    ratio = probability[: len(train)] / (1 - probability[: len(train)])
    return np.asarray(ratio / ratio.mean()), float(roc_auc_score(is_test, probability))


def power_weights(target: Float64, power: float) -> Float64:
    """Return weights in proportion to a power of the target, (rows,), of mean 1.

    The trainer minimises the absolute error, the metric squares it. More weight on the rows with large errors brings
    the trainer closer to the metric. Large errors may occur where the target is low and rows are few (a negative power)
    or in the peaks of a skewed target (a positive one).

    Args:
        target: (rows,). Values below a thousandth of the mean, or above a thousand times the mean, are moved to these
            bounds. Where some are 0 or less, a constant is added first, with a warning.
        power: 0 for equal weights.
    """
    offset = offset_to_positive(target)
    if offset and power:
        errors.warn(f"the target goes down to {target.min():g}; weights are powers of the target + {offset:g}.")
    positive = target + offset
    weight = np.clip(positive / positive.mean(), 1e-3, 1e3) ** power
    return np.asarray(weight / weight.mean())
