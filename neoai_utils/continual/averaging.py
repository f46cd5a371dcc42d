"""Averages of weights: between the given and the fine-tuned network (WiSE-FT), and over several runs (soups)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch

from neoai_utils.continual import checkpoint
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["greedy_soup", "interpolate", "soup"]


def interpolate(first: TinyVit, second: TinyVit, share: float) -> TinyVit:
    """Return (1 - share) * first + share * second: WiSE-FT (Wortsman et al. 2022, 2109.01903).

    Raises:
        ParameterError: `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ParameterError(f"share must be between 0 and 1, got {share}.")
    start, end = first.state_dict(), second.state_dict()
    mixed = {
        name: torch.lerp(values, end[name], share) if values.is_floating_point() else end[name]
        for name, values in start.items()
    }
    return checkpoint.clone(first, mixed)


def soup(models: Sequence[TinyVit]) -> TinyVit:
    """Return the network of the mean weights (Wortsman et al. 2022, 2203.05482).

    Raises:
        ParameterError: there is no network.
    """
    if not models:
        raise ParameterError("a soup needs at least one network.")
    states = [model.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if values.is_floating_point() else values
        for name, values in states[0].items()
    }
    return checkpoint.clone(models[0], mean)


def greedy_soup(models: Sequence[TinyVit], quality: Callable[[TinyVit], float]) -> tuple[TinyVit, list[int]]:
    """Return the greedy soup and the indices of its networks.

    The networks are added from the best to the worst; one is kept if the soup is at least as good with it.

    Args:
        models: the candidates.
        quality: higher is better; must not depend on test answers.
    """
    single = [quality(model) for model in models]
    order = sorted(range(len(models)), key=lambda index: -single[index])
    kept, best = [order[0]], single[order[0]]
    for index in order[1:]:
        mixed = quality(soup([models[i] for i in [*kept, index]]))
        if mixed >= best:
            kept, best = [*kept, index], mixed
    return soup([models[i] for i in kept]), kept
