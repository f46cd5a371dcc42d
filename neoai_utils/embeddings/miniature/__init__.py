"""The miniature: MiniLM-L6 with a sentiment head, broken like the competition's BERT, and rated sentences.

The body is the real all-MiniLM-L6-v2 with the competition's vocabulary size; its classifier was trained (see
`classifier`) on texts that no miniature shows, before the rows are broken. The seed decides which rows are lost and how
the shown texts are split into validation and test. The ceiling is the unbroken model.

- `classifier`: the recipe, training and committed weights of the classifier.
- `sentences`: the committed texts with ratings, and how they were made.
- `word_pairs`: pairs of words that people rated, for a look at the repaired table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neoai_utils.embeddings import evaluation, files, metric, models
from neoai_utils.embeddings.damage import break_rows
from neoai_utils.embeddings.miniature import classifier, word_pairs

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Recipe", "build", "word_pairs"]


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of the damage and of the split of texts.
        version: raised when the code changes what a recipe builds.
        lost: rows set to zero: the competition's 12,208 of 30,522. The special tokens are spared (whether the
            competition spares them is not known).
        validation: texts with labels; the other shown texts are the test.
        first_test_id: the competition's test ids start here.
        training: the recipe of the classifier.
    """

    seed: int = 0
    version: int = 1
    lost: int = 12_208
    validation: int = 2_500
    first_test_id: int = 5_000
    training: classifier.ClassifierRecipe = field(default_factory=classifier.ClassifierRecipe)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write `val_dataset.csv`, `test.csv` and `model/` into `data_dir`, `answers.csv` into `answers_dir`.

    Returns:
        `ceiling` and `ceiling_macro_f1`, the scores of the unbroken model, and `lost`, the number of zero rows.
    """
    shown, _ = classifier.texts_and_classes(recipe.training)
    shown = shown.iloc[np.random.default_rng(recipe.seed).permutation(len(shown))].reset_index(drop=True)
    shown["labels"] = [metric.LABELS[c] for c in shown["class"]]
    validation, test = shown[: recipe.validation].copy(), shown[recipe.validation :].copy()
    validation["id"] = range(len(validation))
    test["id"] = range(recipe.first_test_id, recipe.first_test_id + len(test))
    _write(validation[["id", "text", "labels"]], data_dir / files.REQUIRED[0])
    _write(test[["id", "text"]], data_dir / files.REQUIRED[1])
    _write(test[["id", "labels"]], answers_dir / "answers.csv")

    model, tokenizer = classifier.load()
    predictions = evaluation.predict(model, evaluation.tokenize(tokenizer, list(test["text"])))
    ceiling = metric.grade(predictions, test["class"].to_numpy())
    table, _ = models.embedding_table(model, tokenizer)
    broken = break_rows(table, recipe.lost, recipe.seed, spare=tokenizer.all_special_ids)
    models.set_embedding_table(model, broken)
    model.save_pretrained(data_dir / models.FOLDER)
    tokenizer.save_pretrained(data_dir / models.FOLDER)
    return {"ceiling": ceiling.score, "ceiling_macro_f1": ceiling.parts["macro_f1"], "lost": float(recipe.lost)}


def _write(frame: pd.DataFrame, path: Path) -> None:
    frame.to_csv(path, index=False, lineterminator="\n")
