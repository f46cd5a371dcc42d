"""The miniature of "Underfitting CV": drawings of 102 things in the competition's files, and a small TinyViT.

What is as in the original: file and folder names, columns, 102 classes of which the same 23 are weak, ten labelled
pictures for each of these and none for the others, a mixed test set over all classes, and `model.pt`, a state dict of
timm's `TinyVit` under the `model.` prefix. What differs: drawings in place of photographs, a network of 0.3 million
parameters that reads 32 x 32 pixels (`settings.json`, the miniature's own file, says so), and fewer test pictures.

A seed decides which drawings of the weak classes are the labelled ones, and how all drawings are coloured and
stretched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neoai_utils.continual import checkpoint, files, inference
from neoai_utils.continual.miniature import drawings, pretraining

__all__ = ["Recipe", "build"]


def _weights() -> tuple[str, ...]:
    checksums = pretraining.manifest()["sha256"]
    return tuple(checksums[name] for name in ("model", "oracle"))


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the deal of labelled pictures, the colours and the order.
        labelled: pictures for each weak class.
        style: how drawings become pictures.
        training: how the networks were trained.
        weights: checksums of the networks.
    """

    seed: int = 0
    version: int = 1
    labelled: int = 10
    style: drawings.Style = field(default_factory=drawings.Style)
    training: pretraining.Training = field(default_factory=pretraining.Training)
    weights: tuple[str, ...] = field(default_factory=_weights)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the competition's files into `data_dir`, `answers.csv` into `answers_dir`.

    Returns:
        `ceiling`: accuracy of the oracle, which has seen as many drawings of the weak classes as of the others;
        `ceiling_old`, `ceiling_weak`: the same on either part.
    """
    rng = np.random.default_rng((recipe.seed, 102))
    pool, held_out = drawings.split(drawings.load(), recipe.training.shown)
    train = _labelled(pool, recipe, rng)
    test = [(picture, number) for number, group in enumerate(held_out) for picture in group]
    _write(train, data_dir, "train", column="path", recipe=recipe, rng=rng)
    answers = _write(test, data_dir, "test", column="id", recipe=recipe, rng=rng)
    answers = [(*row, int(row[1] in drawings.WEAK)) for row in answers]
    _write_table(answers_dir / "answers.csv", "id,class,weak", answers)
    (data_dir / "settings.json").write_text(json.dumps({"side": recipe.training.side}), encoding="utf-8")
    checkpoint.save(pretraining.committed_state("model"), data_dir / "model.pt")
    return _ceiling(data_dir, answers, recipe)


def _labelled(
    pool: NDArray[np.uint8], recipe: Recipe, rng: np.random.Generator
) -> list[tuple[NDArray[np.uint8], int]]:  # fmt: skip
    """Deal `labelled` drawings of each weak class that pre-training has not shown the network."""
    unseen = np.arange(recipe.training.weak_shown, pool.shape[1])
    return [
        (pool[number, place], number)
        for number in drawings.WEAK
        for place in np.sort(rng.choice(unseen, recipe.labelled, replace=False))
    ]


def _write(
    pictures: list[tuple[NDArray[np.uint8], int]],
    folder: Path,
    part: str,
    *,
    column: str,
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[tuple[object, ...]]:
    """Write shuffled pictures and, for training, the table; return the rows (file name, class)."""
    (folder / f"{part}_images").mkdir()
    rows: list[tuple[object, ...]] = []
    for place, index in enumerate(rng.permutation(len(pictures))):
        drawing, number = pictures[index]
        name = f"{part}_{place:04d}.png"
        Image.fromarray(drawings.paint(drawing, rng, recipe.style)).save(folder / f"{part}_images" / name)
        rows.append((name, number))
    if part == "train":
        _write_table(folder / "train.csv", f"{column},class", rows)
    return rows


def _write_table(path: Path, header: str, rows: list[tuple[object, ...]]) -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ceiling(data_dir: Path, answers: list[tuple[object, ...]], recipe: Recipe) -> dict[str, float]:
    paths = [data_dir / "test_images" / str(row[0]) for row in answers]
    model = checkpoint.load(data_dir / "model.pt", files.CLASSES)
    oracle = checkpoint.clone(model, pretraining.committed_state("oracle"))
    found = inference.logits(oracle, files.pixels(paths, recipe.training.side)).argmax(dim=1).numpy()
    truth, weak = (np.array([row[part] for row in answers]) for part in (1, 2))
    scores = files.accuracies(found, truth, weak == 1)
    return {"ceiling": scores["accuracy"], "ceiling_old": scores["old"], "ceiling_weak": scores["weak"]}
