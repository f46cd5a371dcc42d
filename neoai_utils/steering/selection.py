"""Which latents of a sparse autoencoder make the difference? Four answers, from texts of two kinds.

The first three look at which latents *tell* the kinds apart; the last asks what a latent *does* to the next word.
These need not be the same latents: Arad et al. 2025, "SAEs are good for steering, if you select the right features"
(arXiv:2505.20063). Features are (texts, latents) float arrays, kinds (texts) with 1 for human and 0 for machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neoai_utils.steering.hooks import adding, steered

if TYPE_CHECKING:
    from neoai_utils.steering.generation import Writer

__all__ = ["by_auc", "by_gain", "by_l1", "by_output", "roc_auc", "strongest"]

Features = NDArray[np.floating]
Kinds = NDArray[np.integer]
Latents = NDArray[np.int64]


def by_gain(features: Features, kinds: Kinds, each: int = 3) -> Latents:
    """Return the latents that the organisers' notebook takes from a gradient-boosted classifier.

    It fits shallow trees, sorts latents by the gain of their splits, and takes the best three of the even and of the
    odd rows of the table of splits, meant as "human" and "machine" latents. Which rows are even says nothing about
    that; it is kept here as published.

    The organisers' trees are XGBoost's, these are LightGBM's with the same settings. On four miniatures (20 fits) both
    choose 88% of the latents alike; fitted to nine tenths of the texts, XGBoost keeps 76% of its own choice.
    """
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(
        n_estimators=100, learning_rate=0.3, max_depth=2, num_leaves=4, reg_alpha=1, reg_lambda=1, min_child_weight=1,
        min_child_samples=1, max_bin=1000, min_data_in_bin=1, random_state=21, n_jobs=1, deterministic=True,
        force_row_wise=True, verbose=-1,
    ).fit(features, kinds)  # fmt: skip
    splits = model.booster_.trees_to_dataframe()
    splits = splits[splits["split_feature"].notna()]
    chosen: list[int] = []
    for start in (0, 1):
        gains = splits.iloc[start::2].groupby("split_feature")["split_gain"].sum()
        best = gains.sort_values(ascending=False, kind="stable").index[:each]
        chosen += [int(name.removeprefix("Column_")) for name in best]
    return np.unique(np.array(chosen, dtype=np.int64))


def roc_auc(features: Features, kinds: Kinds) -> NDArray[np.float64]:
    """Return for each latent the chance that a human text has more of it than a machine's; ties count half."""
    from scipy.stats import rankdata

    positive = int((kinds == 1).sum())
    ranks = rankdata(features, axis=0)[kinds == 1].sum(axis=0)
    areas: NDArray[np.float64] = (ranks - positive * (positive + 1) / 2) / (positive * (len(kinds) - positive))
    return areas


def strongest(values: NDArray[np.floating], count: int) -> Latents:
    """Return the places of the `count` largest absolute values, largest first."""
    return np.argsort(-np.abs(values), kind="stable")[:count]


def by_auc(features: Features, kinds: Kinds, count: int) -> Latents:
    """Return the latents whose own ROC curve is farthest from chance."""
    return strongest(roc_auc(features, kinds) - 0.5, count)


def by_l1(features: Features, kinds: Kinds, count: int, strength: float = 0.1) -> Latents:
    """Return the latents with the largest weights in a logistic regression with an L1 penalty.

    The penalty keeps one of several latents that say the same (He et al. 2025, SAE-SSV, arXiv:2505.16188).
    """
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return strongest(_l1_weights(scaled, kinds, strength), count)


def _l1_weights(scaled: Features, kinds: Kinds, strength: float) -> NDArray[np.float64]:
    """Return (latents) the weights of a logistic regression with an L1 penalty."""
    from sklearn import __version__
    from sklearn.linear_model import LogisticRegression

    # scikit-learn 1.8 renamed the setting; older ones ignore the new name and fit L2
    renamed = tuple(map(int, __version__.split(".")[:2])) >= (1, 8)
    l1: dict[str, Any] = {"l1_ratio": 1} if renamed else {"penalty": "l1"}
    model = LogisticRegression(C=strength, solver="liblinear", random_state=0, **l1).fit(scaled, kinds)
    weights: NDArray[np.float64] = model.coef_[0]
    return weights


@torch.inference_mode()
def by_output(
    writer: Writer, prompts: Sequence[str], layer: int, rows: Tensor, *, strength: float, top: int = 20
) -> NDArray[np.float64]:
    """Return for each decoder row how much adding it raises the chance of its own words.

    A row's own words are the `top` tokens that the model's last layers read out of the row alone (logit lens). A row
    that does not promote them is an input feature: it notices something and does nothing about it.

    Args:
        writer: the model.
        prompts: a few beginnings; the next word after them is looked at.
        layer: number of the block the rows are added after.
        rows: (candidates, width) decoder rows.
        strength: length of the step along a row.
        top: words of a row.

    Returns:
        (candidates) the mean rise of the words' joint probability.
    """
    from neoai_utils.steering.generation import encode

    model = writer.model
    ids, mask = encode(writer, prompts, side="left")
    head, norm = model.get_output_embeddings(), model.base_model.norm
    position = (mask.cumsum(1) - 1).clamp(min=0)

    def chances() -> Tensor:
        found = model(ids, attention_mask=mask, position_ids=position, logits_to_keep=1).logits[:, -1]
        means: Tensor = found.float().softmax(-1).mean(0)
        return means

    before, rises = chances(), []
    for row in rows:
        direction = (row / row.norm()).to(model.device)
        words = head(norm(direction.to(model.dtype)[None, None])).flatten().topk(top).indices
        with steered(model, {layer: adding(direction, strength)}):
            rises.append(float((chances() - before)[words].sum()))
    return np.array(rises)
