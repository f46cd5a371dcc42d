"""Self-labelling: predictions for unlabelled pictures, used as labels for a new head.

Training on one's own balanced predictions is self-labelling by optimal transport (Asano et al. 2020, 1911.05371).
"Freeze and Cluster" (Zhang et al. 2025, 2503.09106) trains the head only, because the body's features may get worse.
"""

from __future__ import annotations

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

__all__ = ["refitted_logits"]

_INVERSE_PENALTY = 0.3
_ITERATIONS = 100  # later ones hardly change a prediction


def refitted_logits(features: Tensor, labels: Tensor, pictures: Tensor, classes: int) -> Tensor:
    """Return the logits of a new head: logistic regression on features, the body stays as it is.

    Args:
        features: (n, width) of pictures with given or predicted labels.
        labels: (n,) these labels.
        pictures: (m, width) features of the pictures to classify.
        classes: outputs of the head. A class without a picture is never predicted.

    Returns:
        (m, classes) float32.
    """
    present = sorted(set(labels.tolist()))
    if len(present) == 1:
        found = torch.zeros(len(pictures), 1)
    else:
        model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_ITERATIONS).fit(features.numpy(), labels.numpy())
        found = torch.from_numpy(model.predict_log_proba(pictures.numpy())).float()
    logits = torch.full((len(pictures), classes), float(found.min()) - 1)
    logits[:, present] = found
    return logits
