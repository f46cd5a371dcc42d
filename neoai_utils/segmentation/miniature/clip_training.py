"""A small CLIP, trained on drawings: the miniature's stand-in for `openai/clip-vit-base-patch16`.

It is a real `transformers.CLIPModel` with the original's 14 x 14 grid of cells, trained as the original was
(`neoai_utils.small_clip`). All epochs except the last use only half of a picture's tokens. Training used no mask.

`python -m neoai_utils.segmentation.miniature.clip_training` writes the model into `data/` with its recipe; `export`
turns it into a folder that `CLIPModel.from_pretrained` reads.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from neoai_utils import small_clip
from neoai_utils.arrays import Mask, Picture
from neoai_utils.segmentation.miniature.coats import BREEDS
from neoai_utils.segmentation.miniature.drawings import draw, random_scene
from neoai_utils.weights import Store

if TYPE_CHECKING:
    from transformers import CLIPModel, PreTrainedTokenizerBase

__all__ = [
    "STORE", "TrainingRecipe", "committed_recipe", "export", "make_model", "make_tokenizer", "train",
    "training_pictures",
]  # fmt: skip

STORE = Store(Path(__file__).parent / "data", "clip.json")
_PART, _VOCABULARY, _MERGES = "clip", "clip_vocab.json", "clip_merges.txt"
_SHAPES = ((120, 160), (160, 120), (120, 170), (140, 140))


@dataclass(frozen=True)
class TrainingRecipe:
    """The constants of the small CLIP.

    Attributes:
        seed: of the pictures, the weights and the training.
        pictures: number of training pictures.
        side: pixels along a picture's side.
        patch: pixels along a patch's side.
        width: hidden size of the vision tower.
        blocks: transformer blocks of the vision tower.
        heads: attention heads of either tower.
        text_width: hidden size of the text tower.
        text_blocks: transformer blocks of the text tower.
        text_length: tokens of the longest caption.
        shared_width: size of the common space of pictures and captions.
        epochs: passes over all pictures.
        batch: pictures in a step.
        learning_rate: the highest.
        weight_decay: of AdamW.
        shown_tokens: patch tokens of a picture that pass in all epochs except the last.
    """

    seed: int = 7
    pictures: int = 9000
    side: int = 112
    patch: int = 8
    width: int = 96
    blocks: int = 4
    heads: int = 4
    text_width: int = 64
    text_blocks: int = 2
    text_length: int = 24
    shared_width: int = 64
    epochs: int = 12
    batch: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    shown_tokens: int = 98


def training_picture(recipe: TrainingRecipe, index: int) -> tuple[Picture, str]:
    """Draw one training picture, (side, side, 3) uint8, with its caption; one in five shows no animal."""
    rng = np.random.default_rng((recipe.seed, index))
    breed = BREEDS[rng.integers(len(BREEDS))] if rng.random() < 0.8 else None
    height, width = _SHAPES[rng.integers(len(_SHAPES))]
    scene = random_scene(rng, breed)
    picture, mask = draw(rng, scene, height, width)
    image = Image.fromarray(picture)
    if rng.random() < 0.2:  # a crop around a random point of the animal
        image = image.crop(_crop_box(rng, mask))
    image = image.resize((recipe.side, recipe.side), Image.Resampling.BICUBIC)
    return np.asarray(image), scene.caption(rng)


def _crop_box(rng: np.random.Generator, mask: Mask) -> tuple[int, int, int, int]:
    height, width = mask.shape
    share = rng.uniform(0.6, 0.95)
    rows, columns = np.nonzero(mask)
    at = rng.integers(len(rows)) if len(rows) else 0
    y, x = (rows[at], columns[at]) if len(rows) else (height / 2, width / 2)
    left = float(np.clip(x - share * width / 2, 0, width - share * width))
    top = float(np.clip(y - share * height / 2, 0, height - share * height))
    return int(left), int(top), int(left + share * width), int(top + share * height)


def training_pictures(recipe: TrainingRecipe, jobs: int = 1) -> tuple[Tensor, list[str]]:
    """Draw all training pictures: pixels (pictures, 3, side, side) uint8, and their captions."""
    from joblib import Parallel, delayed

    work = (delayed(training_picture)(recipe, index) for index in range(recipe.pictures))
    drawn = Parallel(n_jobs=jobs, batch_size=32)(work)
    pixels = torch.from_numpy(np.stack([picture for picture, _ in drawn])).permute(0, 3, 1, 2)
    return pixels, [caption for _, caption in drawn]


def make_tokenizer(captions: Sequence[str], folder: Path) -> PreTrainedTokenizerBase:
    """Train the tokenizer of the default recipe on the captions; write its files into `folder`."""
    return small_clip.make_tokenizer(captions, folder, TrainingRecipe().text_length)


def make_model(recipe: TrainingRecipe, vocabulary: int) -> CLIPModel:
    """Make the untrained `CLIPModel` of a recipe, its weights drawn from the recipe's seed."""
    return small_clip.make_model(
        vocabulary=vocabulary, length=recipe.text_length, text=(recipe.text_width, recipe.text_blocks),
        vision=(recipe.width, recipe.blocks), side=recipe.side, patch=recipe.patch, shared=recipe.shared_width,
        heads=recipe.heads, seed=recipe.seed,
    )  # fmt: skip


def train(
    model: CLIPModel,
    tokenizer: PreTrainedTokenizerBase,
    pixels: Tensor,
    captions: Sequence[str],
    recipe: TrainingRecipe,
) -> list[float]:
    """Train in place with AdamW and a one-cycle learning rate; return the mean loss of every epoch."""
    return small_clip.train(
        model, tokenizer, pixels, captions, epochs=recipe.epochs, batch=recipe.batch,
        learning_rate=recipe.learning_rate, weight_decay=recipe.weight_decay, shown_tokens=recipe.shown_tokens,
        seed=recipe.seed,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------- the committed model


def committed_recipe() -> TrainingRecipe:
    """Return the recipe that the committed model was trained with."""
    return TrainingRecipe(**STORE.manifest()["recipe"])


def export(folder: Path) -> None:
    """Write the committed model as a folder that `CLIPModel` and `CLIPTokenizer` read, with `classes.json`.

    Raises:
        AssetError: the committed weights do not have the manifest's SHA-256.
    """
    weights = STORE.load(_PART)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(STORE.folder / _VOCABULARY, folder / "vocab.json")
    shutil.copyfile(STORE.folder / _MERGES, folder / "merges.txt")
    recipe = committed_recipe()
    tokenizer = small_clip.load_tokenizer(folder, recipe.text_length)
    model = make_model(recipe, len(tokenizer))
    model.load_state_dict(weights, strict=False)  # position_ids are no weights and differ between versions
    model.save_pretrained(folder)
    (folder / "classes.json").write_text(json.dumps([breed.name for breed in BREEDS]), encoding="utf-8")


def _commit(model: CLIPModel, folder: Path, recipe: TrainingRecipe, losses: list[float]) -> None:
    """Write weights, tokenizer and manifest into `data/`."""
    shutil.copyfile(folder / "vocab.json", STORE.folder / _VOCABULARY)
    shutil.copyfile(folder / "merges.txt", STORE.folder / _MERGES)
    STORE.save(
        _PART, dict(model.named_parameters()), recipe, losses=[round(loss, 4) for loss in losses],
        licence="MIT, own work: drawings by neoai_utils.segmentation.miniature.drawings, no outside picture",
        made_by="python -m neoai_utils.segmentation.miniature.clip_training",
    )  # fmt: skip


def main() -> None:
    """Train the small CLIP by the default recipe and commit it to `data/`."""
    import tempfile

    torch.set_num_threads(1)
    recipe = TrainingRecipe()
    pixels, captions = training_pictures(recipe, jobs=-1)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = make_tokenizer(captions, Path(folder))
        model = make_model(recipe, len(tokenizer))
        losses = train(model, tokenizer, pixels, captions, recipe)
        _commit(model, Path(folder), recipe, losses)
    print("losses:", ", ".join(f"{loss:.3f}" for loss in losses))


if __name__ == "__main__":
    main()
