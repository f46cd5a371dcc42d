"""TEMI: a small clustering head on the vectors of a frozen network, trained without labels.

Adaloglou, Michels, Kalisch & Kollmann 2023, "Exploring the limits of deep image clustering using pretrained models"
(arXiv:2303.17896). A head gives each picture a distribution over the clusters. It learns to raise the pointwise mutual
information of neighbours, as a student whose teacher is its own moving average. Neighbours are often wrong, so several
heads decide together how much a pair counts: by the probability that both pictures are in one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32

if TYPE_CHECKING:
    from torch import Generator, Tensor
    from torch.optim import Optimizer

__all__ = ["head_clusters", "pair_losses"]

_HEADS, _STEPS = 8, 1000
_TEMPERATURE = 0.1
_POWER = 0.6  # the paper's beta: at 1, a head may leave clusters empty
_TEACHER, _SHARES = 0.99, 0.9  # momentum of the teacher's weights, and of the clusters' mean shares
_BATCH, _LEARNING_RATE = 512, 3e-3


def head_clusters(vectors: Float32, neighbours: int, clusters: int, seed: int) -> NDArray[np.integer]:
    """Train heads and return the labels (n) of the one with the lowest loss at the end.

    Args:
        vectors: (n, width) unit rows.
        neighbours: a pair is a picture and one of so many nearest to it.
        clusters: at most.
        seed: of weights and batches.
    """
    import torch
    from sklearn.neighbors import NearestNeighbors

    near = NearestNeighbors(n_neighbors=neighbours).fit(vectors).kneighbors(return_distance=False)
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.from_numpy(vectors)
    student = torch.randn(_HEADS, pictures.shape[1], clusters, generator=generator).requires_grad_()
    teacher = student.detach().clone()
    shares = torch.full((_HEADS, clusters), 1 / clusters)
    optimizer = torch.optim.Adam([student], lr=_LEARNING_RATE)
    losses = torch.zeros(_HEADS)
    for pair in islice(_pairs(pictures, torch.from_numpy(near), generator), _STEPS):
        losses.lerp_(_step(pair, student, teacher, shares, optimizer), 0.05)
    best = _distributions(pictures, teacher[[int(losses.argmin())]])
    labels: NDArray[np.integer] = best[0].argmax(dim=1).numpy()
    return labels


def pair_losses(students: Sequence[Tensor], teachers: Sequence[Tensor], shares: Tensor) -> Tensor:
    """Return each head's loss of a batch of pairs, (heads,): minus the weighted pointwise mutual information.

    Args:
        students: the student's distributions of the pairs' first and second pictures, (heads, batch, clusters) each.
        teachers: the teacher's, likewise.
        shares: (heads, clusters), the mean distribution of all pictures.
    """
    weights = (teachers[0] * teachers[1]).sum(dim=2).mean(dim=0)  # the heads' share of "these two belong together"
    crossed = zip(students, reversed(teachers), strict=True)
    information = sum(((s * t) ** _POWER / shares[:, None]).sum(dim=2).log() for s, t in crossed)
    return -(weights * information / 2).mean(dim=1)


def _pairs(pictures: Tensor, near: Tensor, generator: Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of random pictures (n, width), each with a random one of its neighbours (n, count), for ever."""
    import torch

    while True:
        first = torch.randint(len(pictures), (_BATCH,), generator=generator)
        chosen = torch.randint(near.shape[1], (_BATCH,), generator=generator)
        yield pictures[first], pictures[near[first, chosen]]


def _step(
    pair: tuple[Tensor, Tensor], student: Tensor, teacher: Tensor, shares: Tensor, optimizer: Optimizer
) -> Tensor:
    """Move student, teacher and shares in place by one batch of pairs; return each head's loss, (heads,)."""
    import torch

    with torch.no_grad():
        teachers = [_distributions(vectors, teacher) for vectors in pair]
        shares.lerp_(torch.cat(teachers, dim=1).mean(dim=1), 1 - _SHARES)
    losses = pair_losses([_distributions(vectors, student) for vectors in pair], teachers, shares)
    optimizer.zero_grad()
    losses.sum().backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    teacher.lerp_(student.detach(), 1 - _TEACHER)
    return losses.detach()


def _distributions(vectors: Tensor, weights: Tensor) -> Tensor:
    """Return the heads' distributions (heads, batch, clusters) of (batch, width); logits are cosines, as in DINO."""
    from torch.nn import functional

    return (vectors @ functional.normalize(weights, dim=1) / _TEMPERATURE).softmax(dim=2)
