"""Features averaged with those of the most similar pictures.

Pictures of one class lie close together in feature space, also where the head draws its border through them. An average
over neighbours lies deeper inside the class than the picture itself. Retrieval systems do this with queries ("query
expansion", Chum et al. 2007), few-shot classifiers with predictions (Ziko et al. 2020, 2006.15486). Nothing is learnt.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

__all__ = ["nearest", "smoothed"]

_MOST = 10  # neighbours
_OF_CLASS = 1 / 3  # neighbours of a picture, as a share of the pictures that a class has on average
_FLOOR = 1e-9  # of a variance: two pictures differ in one direction only
_SHARE = 0.3  # of the neighbours' mean


def nearest(features: Tensor, classes: int) -> Tensor:
    """Return the rows of the most similar other pictures of each picture, (n, k) int64.

    There are k = n / classes / 3 of them, at least 1 and at most 10. With more, most neighbours of a picture of a rare
    class would be of other classes.

    Args:
        features: (n, width), at least two pictures. Similarity is the cosine after whitening: the mean is subtracted,
            and directions in which all pictures differ much count as much as others. The covariance is shrunk (Ledoit
            and Wolf 2004), because there are few pictures for so many directions.
        classes: their number.
    """
    values = features.double().numpy()
    covariance = LedoitWolf().fit(values)
    variances, directions = np.linalg.eigh(covariance.covariance_)
    deviations = np.sqrt(np.maximum(variances, _FLOOR * variances.max() + _FLOOR))
    whitened = (values - covariance.location_) @ directions / deviations
    count = min(_MOST, max(1, round(_OF_CLASS * len(values) / classes)))
    found = NearestNeighbors(n_neighbors=count, metric="cosine").fit(whitened)
    return torch.from_numpy(found.kneighbors(return_distance=False))


def smoothed(features: Tensor, classes: int) -> Tensor:
    """Return features of which three tenths are the mean of the nearest pictures' ones, (n, width) float32.

    Args:
        features: (n, width), see `nearest`.
        classes: their number.
    """
    return torch.lerp(features, features[nearest(features, classes)].mean(dim=1), _SHARE)
