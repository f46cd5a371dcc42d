"""What can be done to the last linear layer alone: imprint rows, align their lengths, shift the logits.

The head's rows are old-data knowledge: a row of a well-learnt class points where the features of its pictures lie
("neural collapse", Papyan et al. 2020, 2008.08186), and its length tells how strongly it was learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neoai_utils.continual import checkpoint
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["align", "class_means", "imprint", "lowest_shift", "row_norms", "shift"]


def class_means(features: Tensor, labels: Tensor, classes: Sequence[int]) -> Tensor:
    """Return the mean feature of each class, (classes, width).

    Args:
        features: (n, width).
        labels: (n,) class numbers.
        classes: which means to return, in this order.

    Raises:
        ParameterError: a class has no picture.
    """
    labels = torch.as_tensor(labels)
    for number in classes:
        if not bool((labels == number).any()):
            raise ParameterError(f"class {number} has no picture to imprint.")
    return torch.stack([features[labels == number].mean(dim=0) for number in classes])


def imprint(model: TinyVit, features: Tensor, labels: Tensor, old: Sequence[int]) -> TinyVit:
    """Return a copy in which each labelled class's row is its mean feature, as long as an old row (1712.07136).

    The mean of all labelled pictures is taken off first: what every picture has in common says nothing about its class.
    The bias is the mean of the old classes' biases, less what the new row gives to that common part, so that a new
    logit is on the old logits' scale.

    Args:
        model: the network; unchanged.
        features: (n, width), `inference.features` of the labelled pictures.
        labels: (n,) their classes.
        old: classes whose rows set length and bias.
    """
    labels = torch.as_tensor(labels)
    weak = sorted(set(labels.tolist()))
    common = features.mean(dim=0)
    rows = class_means(features, labels, weak) - common
    state = {name: values.detach().clone() for name, values in model.state_dict().items()}
    weight, bias = state["head.fc.weight"], state["head.fc.bias"]
    length = weight[list(old)].norm(dim=1).mean().cpu()
    rows = rows / rows.norm(dim=1, keepdim=True) * length
    level = (weight[list(old)].cpu() @ common + bias[list(old)].cpu()).mean()
    weight[weak] = rows.to(weight)
    bias[weak] = (level - rows @ common).to(bias)
    return checkpoint.clone(model, state)


def row_norms(model: TinyVit) -> Tensor:
    """Return the length of each class's row of the head, (classes,)."""
    norms: Tensor = model.head.fc.weight.detach().norm(dim=1).cpu()
    return norms


def align(model: TinyVit, weak: Sequence[int], old: Sequence[int]) -> TinyVit:
    """Return a copy whose weak rows have the old rows' mean length: weight aligning (Zhao et al. 1911.07053)."""
    state = {name: values.detach().clone() for name, values in model.state_dict().items()}
    weight = state["head.fc.weight"]
    weight[list(weak)] *= weight[list(old)].norm(dim=1).mean() / weight[list(weak)].norm(dim=1).mean()
    return checkpoint.clone(model, state)


def shift(logits: Tensor, weak: Sequence[int], by: float) -> Tensor:
    """Return a copy of (n, classes) logits with `by` added to those of the weak classes."""
    moved = logits.clone()
    moved[:, list(weak)] += by
    return moved


def lowest_shift(logits: Tensor, labels: Tensor, weak: Sequence[int], keep: float = 0.9) -> float:
    """Return the lowest shift of the weak logits at which held-out weak pictures are still recognised.

    A lower shift gives pictures back to the old classes, which cannot be measured without pictures of these; what it
    costs can be, on labelled pictures that were held out of training.

    Args:
        logits: (n, classes) of held-out labelled pictures.
        labels: (n,) their classes.
        weak: the classes whose logits are shifted.
        keep: share of the right answers at shift 0 that must survive.

    Raises:
        ParameterError: `keep` is not between 0 and 1, or not one picture is recognised at shift 0.
    """
    if not 0 < keep <= 1:
        raise ParameterError(f"keep must be above 0 and at most 1, got {keep}.")
    labels = torch.as_tensor(labels)
    right = logits.argmax(dim=1) == labels
    if not bool(right.any()):
        raise ParameterError("no held-out picture is recognised, so there is nothing to keep.")
    rivals = logits.clone()
    rivals[:, list(weak)] = -torch.inf
    margins = logits.gather(1, labels[:, None])[:, 0] - rivals.max(dim=1).values
    safe = margins[right].sort(descending=True).values
    return -float(safe[max(1, round(keep * len(safe))) - 1])
