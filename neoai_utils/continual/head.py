"""Changes of the last linear layer alone: imprinted rows, aligned lengths, shifted logits.

The rows of the head carry information about the old data. The row of a well-trained class points in the direction of
its pictures' features ("neural collapse", Papyan et al. 2020, 2008.08186), and it is the longer the more the class was
trained.
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

_KEPT = 0.9  # of the correct predictions at shift 0


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
            raise ParameterError(f"class {number} has no labelled picture.")
    return torch.stack([features[labels == number].mean(dim=0) for number in classes])


def imprint(model: TinyVit, features: Tensor, labels: Tensor, old: Sequence[int]) -> TinyVit:
    """Return a copy in which each labelled class's row is its mean feature, scaled to the length of an old row.

    This is imprinting (Qi et al. 2018, 1712.07136). The mean feature of all labelled pictures is subtracted first,
    because what all pictures have in common does not separate classes. The bias is chosen so that at that mean feature
    the new logits equal the mean of the old ones.

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
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12) * length  # 0 / 0 where there is one class only
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


def lowest_shift(logits: Tensor, labels: Tensor, weak: Sequence[int]) -> float:
    """Return the lowest shift of the weak logits at which nine in ten held-out weak pictures stay correct.

    A lower shift assigns more pictures to the old classes. What this gains cannot be measured without pictures of old
    classes. What it costs can be measured on labelled pictures that were held out of training.

    Args:
        logits: (n, classes) of held-out labelled pictures.
        labels: (n,) their classes.
        weak: the classes whose logits are shifted.

    Raises:
        ParameterError: no picture is classified correctly at shift 0.
    """
    labels = torch.as_tensor(labels)
    correct = logits.argmax(dim=1) == labels
    if not bool(correct.any()):
        raise ParameterError("no held-out picture is classified correctly, so no shift can be measured.")
    rivals = logits.clone()
    rivals[:, list(weak)] = -torch.inf
    margins = logits.gather(1, labels[:, None])[:, 0] - rivals.max(dim=1).values
    ordered = margins[correct].sort(descending=True).values
    return -float(ordered[max(1, round(_KEPT * len(ordered))) - 1])
