"""The miniature of "Cuties segmentation": drawn cats and dogs in the competition's files, and a small CLIP.

As in the original: folder and file names, the picture sizes (249 x 202 to 600 x 798, mostly 500 x 375), JPEG
pictures, 0/255 PNG masks, 20 labelled pictures, a `CLIPModel` with a 14 x 14 grid. Different: the pictures are drawn
(`drawings`), the CLIP is small and was trained on drawings (`clip_training`), and there are 150 test pictures, not
1,000. Only the miniature has the folder `clip/` with its `classes.json`; the original's CLIP is on the hub.

`solids` draws blobs, `coats` fur, `animals` and `surroundings` what a picture shows, `drawings` whole pictures;
`bird_masks` made the masks of the photographs of birds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from neoai_utils.arrays import Mask
from neoai_utils.segmentation.metric import iou
from neoai_utils.segmentation.miniature import clip_training
from neoai_utils.segmentation.miniature.coats import BREEDS
from neoai_utils.segmentation.miniature.drawings import draw, random_scene
from neoai_utils.segmentation.patch_probe import soft_labels
from neoai_utils.segmentation.refine import upsample

__all__ = ["Recipe", "build", "oracle_mask"]


def _weights() -> str:
    checksum: str = clip_training.STORE.manifest()["sha256"]["clip"]
    return checksum


@dataclass(frozen=True)
class Recipe:
    """The constants of the miniature.

    Attributes:
        seed: of the pictures.
        version: of the code; a change rebuilds cached miniatures.
        val: number of labelled pictures.
        test: number of pictures to segment.
        sizes: (width, height, pictures in a hundred); the shares follow the original's test folder.
        quality: of the JPEG files.
        oracle_grid: cells along a side of the grid of true shares from which the oracle makes its masks.
        weights: SHA-256 of the small CLIP's weights.
    """

    seed: int = 0
    version: int = 1
    val: int = 20
    test: int = 150
    sizes: tuple[tuple[int, int, int], ...] = (
        (500, 375, 31), (500, 333, 21), (375, 500, 15), (333, 500, 9), (300, 225, 7), (500, 500, 6), (500, 309, 6),
        (249, 202, 3), (600, 798, 2),
    )  # fmt: skip
    quality: int = 92
    oracle_grid: int = 28
    weights: str = field(default_factory=_weights)


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Draw the pictures, write them and the CLIP into `data_dir`, the test masks into `answers_dir`.

    Returns:
        `ceiling`: the oracle's mean IoU; `animal`: mean share of a test picture that is animal.
    """
    from joblib import Parallel, delayed

    folder = data_dir / "cuties"
    for name in ("val_imgs", "val_masks", "test_imgs"):
        (folder / name).mkdir(parents=True)
    (answers_dir / "test_masks").mkdir()
    targets: list[tuple[Path, Path, int | None]] = [(folder / "val_imgs", folder / "val_masks", None)] * recipe.val
    targets += [(folder / "test_imgs", answers_dir / "test_masks", i) for i in range(recipe.test)]
    work = (delayed(_write)(recipe, index, *target) for index, target in enumerate(targets))
    facts = Parallel(n_jobs=-1)(work)[recipe.val :]
    clip_training.export(data_dir / "clip")
    ceiling, animal = (float(np.mean([fact[part] for fact in facts])) for part in (0, 1))
    return {"ceiling": ceiling, "animal": animal}


def _write(recipe: Recipe, index: int, pictures: Path, masks: Path, number: int | None) -> tuple[float, float]:
    """Draw and write picture number `index`; return the oracle's IoU and the animal's share."""
    rng = np.random.default_rng((recipe.seed, index))
    shares = np.array([share for _, _, share in recipe.sizes], dtype=float)
    width, height, _ = recipe.sizes[rng.choice(len(shares), p=shares / shares.sum())]
    breed = BREEDS[rng.integers(len(BREEDS))]
    picture, mask = draw(rng, random_scene(rng, breed), height, width)
    name = f"{breed.name.replace(' ', '_')}_{index}" if number is None else str(number)
    Image.fromarray(picture).save(pictures / f"{name}.jpg", quality=recipe.quality)
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(masks / f"{name}.png")
    return iou(oracle_mask(mask, recipe.oracle_grid), mask), float(mask.mean())


def oracle_mask(mask: Mask, grid: int) -> Mask:
    """Return a perfect probe's mask: the true share of each of grid x grid cells, resized, thresholded at one half."""
    return upsample(soft_labels([mask], grid)[0], (mask.shape[0], mask.shape[1])) >= 0.5
