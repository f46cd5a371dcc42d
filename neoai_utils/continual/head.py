"""Changes of the last linear layer alone: imprinted rows, aligned lengths, shifted and scaled logits.

The rows of the head carry information about the old data. The row of a well-trained class points in the direction of
its pictures' features ("neural collapse", Papyan et al. 2020, 2008.08186), and it is the longer the more the class was
trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from neoai_utils.continual import checkpoint
from neoai_utils.errors import ParameterError

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = [
    "align",
    "bias_correction",
    "class_means",
    "imprint",
    "imprinted_rows",
    "logits",
    "lowest_shift",
    "row_norms",
    "shift",
]

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


def imprinted_rows(model: TinyVit, features: Tensor, labels: Tensor, old: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the head's weights and biases after each labelled class's row is replaced by its mean feature.

    This is imprinting (Qi et al. 2018, 1712.07136). The mean feature of all labelled pictures is subtracted first,
    because what all pictures have in common does not separate classes. The rest is scaled to the length of an old row.
    The bias is chosen so that at that mean feature the new logits equal the mean of the old ones.

    Args:
        model: the network; unchanged.
        features: (n, width), `inference.features` of the labelled pictures.
        labels: (n,) their classes.
        old: classes whose rows set length and bias.

    Returns:
        (classes, width) and (classes,) float32 on the CPU.
    """
    labels = torch.as_tensor(labels)
    weak = sorted(set(labels.tolist()))
    common = features.mean(dim=0)
    rows = class_means(features, labels, weak) - common
    weight, bias = (values.detach().cpu().clone() for values in (model.head.fc.weight, model.head.fc.bias))
    length = weight[list(old)].norm(dim=1).mean()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12) * length  # 0 / 0 where there is one class only
    level = (weight[list(old)] @ common + bias[list(old)]).mean()
    weight[weak] = rows
    bias[weak] = level - rows @ common
    return weight, bias


def imprint(model: TinyVit, features: Tensor, labels: Tensor, old: Sequence[int]) -> TinyVit:
    """Return a copy of the network with `imprinted_rows`, whose arguments it takes."""
    weight, bias = imprinted_rows(model, features, labels, old)
    return checkpoint.clone(model, model.state_dict() | {"head.fc.weight": weight, "head.fc.bias": bias})


@torch.no_grad()
def logits(model: TinyVit, features: Tensor) -> Tensor:
    """Return the head's logits for (n, width) features of `inference.features`, (n, classes) float32 on the CPU."""
    outputs: Tensor = model.head.fc(features.to(model.head.fc.weight))
    return outputs.cpu()


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


def shift(logits: Tensor, weak: Sequence[int], by: float | Tensor, scale: float | Tensor = 1.0) -> Tensor:
    """Return a copy of (n, classes) logits in which those of the weak classes are multiplied by `scale`, plus `by`."""
    moved = logits.clone()
    moved[:, list(weak)] = scale * logits[:, list(weak)] + by
    return moved


def bias_correction(logits: Tensor, labels: Tensor, weights: Tensor, weak: Sequence[int]) -> tuple[float, float]:
    """Return shift and scale of the weak logits at which the weighted cross-entropy is lowest.

    This is BiC (Wu et al. 2019, 1905.13260), which fits the two numbers to a few held-out pictures of all classes.

    Args:
        logits: (n, classes).
        labels: (n,) their classes, old and weak ones.
        weights: (n,) how much each picture counts.
        weak: the classes whose logits are changed.

    Returns:
        `by` and `scale` of `shift`.
    """
    numbers = torch.tensor([0.0, 1.0], requires_grad=True)
    optimizer = torch.optim.LBFGS([numbers], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        losses = cross_entropy(shift(logits, weak, numbers[0], numbers[1]), labels, reduction="none")
        mean = losses @ weights / weights.sum()
        mean.backward()  # type: ignore[no-untyped-call]
        return mean

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    by, scale = numbers.tolist()
    return by, scale


def lowest_shift(logits: Tensor, labels: Tensor, weak: Sequence[int]) -> float:
    """Return the lowest shift of the weak logits at which nine in ten held-out weak pictures stay correct.

    A lower shift assigns more pictures to the old classes. What this gains cannot be measured without pictures of old
    classes. What it costs can be measured on labelled pictures that were held out of training.

    Args:
        logits: (n, classes) of held-out labelled pictures.
        labels: (n,) their classes.
        weak: the classes whose logits are shifted.

    Returns:
        The shift; 0 if no picture is classified correctly, because then there is nothing to keep.
    """
    labels = torch.as_tensor(labels)
    correct = logits.argmax(dim=1) == labels
    if not bool(correct.any()):
        return 0.0
    rivals = logits.clone()
    rivals[:, list(weak)] = -torch.inf
    margins = logits.gather(1, labels[:, None])[:, 0] - rivals.max(dim=1).values
    ordered = margins[correct].sort(descending=True).values
    return -float(ordered[max(1, round(_KEPT * len(ordered))) - 1])
