"""The miniature of "Underfitting CV": drawings of 102 things in the competition's files, and a small TinyViT.

As in the original: file and folder names, columns, 102 classes of which the same 23 are weak, ten labelled pictures
for each of these and none for the others, a mixed test set over all classes, and `model.pt`, a state dict of timm's
`TinyVit` under the `model.` prefix. Different: drawings in place of photographs, a network of 0.3 million parameters
that reads 32 x 32 pixels (stated in `settings.json`, a file that the competition does not have), and fewer test
pictures.

The seed determines which drawings of the weak classes are labelled, and how all drawings are coloured and stretched.

drawings: grey drawings, and how they become pictures.
pretraining: the committed networks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from neoai_utils.continual import checkpoint, files, inference, metric
from neoai_utils.continual.balancing import class_offsets
from neoai_utils.continual.miniature import drawings, pretraining

__all__ = ["Recipe", "build"]

_Row = tuple[object, ...]


def _weights() -> tuple[str, ...]:
    checksums = pretraining.STORE.manifest()["sha256"]
    return tuple(checksums[part] for part in ("model", "oracle"))


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the choice of labelled drawings, the colours and the order.
        version: raised when the code changes what a recipe means.
        labelled: pictures for each weak class.
        style: how drawings become pictures.
        training: how the networks were trained.
        weights: checksums of the networks.
    """

    seed: int = 0
    version: int = 2
    labelled: int = 10
    style: drawings.Style = field(default_factory=drawings.Style)
    training: pretraining.PretrainingRecipe = field(default_factory=pretraining.PretrainingRecipe)
    weights: tuple[str, ...] = field(default_factory=_weights)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the competition's files into `data_dir`, `answers.csv` into `answers_dir`.

    Returns:
        `ceiling`: accuracy of the oracle, which was trained on as many drawings of the weak classes as of the others,
        with mirrored pictures averaged and balanced predictions, as the notebook's rows have them;
        `ceiling_old`, `ceiling_weak`: its accuracy on old and on weak classes.
    """
    rng = np.random.default_rng((recipe.seed, 102))
    pool, held_out = drawings.split(drawings.load(), recipe.training.shown)
    train = _labelled(pool, recipe, rng)
    test = [(picture, number) for number, group in enumerate(held_out) for picture in group]
    _write(train, data_dir, "train", column="path", recipe=recipe, rng=rng)
    answers = _write(test, data_dir, "test", column="id", recipe=recipe, rng=rng)
    answers = [(*row, int(row[1] in drawings.WEAK)) for row in answers]
    _write_table(answers_dir / files.ANSWERS, "id,class,weak", answers)
    (data_dir / "settings.json").write_text(json.dumps({"side": recipe.training.side}), encoding="utf-8")
    checkpoint.save(pretraining.STORE.load("model"), data_dir / "model.pt")
    return _ceiling(data_dir, answers, recipe)


def _labelled(pool: drawings.Grey, recipe: Recipe, rng: np.random.Generator) -> list[tuple[drawings.Grey, int]]:
    """Return `labelled` random drawings of each weak class that pre-training has not used, with their classes."""
    unused = np.arange(recipe.training.weak_shown, pool.shape[1])
    return [
        (pool[number, index], number)
        for number in drawings.WEAK
        for index in np.sort(rng.choice(unused, recipe.labelled, replace=False))
    ]


def _write(
    pictures: list[tuple[drawings.Grey, int]],
    folder: Path,
    part: str,
    *,
    column: str,
    recipe: Recipe,
    rng: np.random.Generator,
) -> list[_Row]:
    """Write shuffled pictures and, for training, the table; return the rows (file name, class)."""
    (folder / f"{part}_images").mkdir()
    rows: list[_Row] = []
    for position, index in enumerate(rng.permutation(len(pictures))):
        drawing, number = pictures[index]
        name = f"{part}_{position:04d}.png"
        Image.fromarray(drawings.paint(drawing, rng, recipe.style)).save(folder / f"{part}_images" / name)
        rows.append((name, number))
    if part == "train":
        _write_table(folder / "train.csv", f"{column},class", rows)
    return rows


def _write_table(path: Path, header: str, rows: list[_Row]) -> None:
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ceiling(data_dir: Path, answers: list[_Row], recipe: Recipe) -> dict[str, float]:
    paths = [data_dir / "test_images" / str(row[0]) for row in answers]
    model = checkpoint.load(data_dir / "model.pt", files.CLASSES)
    oracle = checkpoint.clone(model, pretraining.STORE.load("oracle"))
    logits = inference.logits(oracle, files.pixels(paths, recipe.training.side), flip=True)
    predictions = (logits + class_offsets(logits)).argmax(dim=1).numpy()
    classes, weak = (np.array([row[column] for row in answers]) for column in (1, 2))
    grades = metric.grade(predictions, classes, weak == 1)
    return {"ceiling": grades.score, "ceiling_old": grades.parts["old"], "ceiling_weak": grades.parts["weak"]}
