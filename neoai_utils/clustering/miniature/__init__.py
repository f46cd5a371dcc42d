"""The miniature of "Cluster pictures": photographs of birds, many random views of each, as rank-4 factors.

What is as in the original: the files, their shapes and dtypes, 3,840 pictures of 32 sources, grey levels of 0..255,
non-negative factors of rank 4 whose components have a random order. What is not published, so that the miniature had to
guess: the photographs, the strength of the random changes, and that every source has the same 120 pictures. The
strengths were set so that the organisers' baseline and the published solution score about what they scored in the
original.

- `photographs`: the committed photographs.
- `augment`: random views of a photograph.
- `nmf`: the factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neoai_utils.arrays import Float32, Integers
from neoai_utils.clustering import metric
from neoai_utils.clustering.discriminant import lda_kmeans
from neoai_utils.clustering.embedding import embed, load_network
from neoai_utils.clustering.files import RANK, SIDE
from neoai_utils.clustering.miniature import photographs
from neoai_utils.clustering.miniature.augment import Augmentation, augmented
from neoai_utils.clustering.miniature.nmf import factorise
from neoai_utils.clustering.pictures import BATCH, normalised, oriented
from neoai_utils.clustering.vectors import unit, whitened

__all__ = ["Recipe", "build", "make_pictures", "oracle"]

_ENLARGED = 256  # pixels of a photograph's side while it is turned and cropped
_ORIENTATIONS = (0, 1)  # the oracle's views: as they are, and a quarter turn
_COMPONENTS, _ROUNDS = 96, 6  # the oracle's whitened components, and rounds of LDA and k-means


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of photographs, views and factorisation.
        version: of the code; raised when the same constants give other files.
        clusters: photographs that views are made of.
        per_cluster: views of a photograph.
        tilt: as in `augment.Augmentation`.
        crop: likewise.
        light: likewise.
        blur: likewise.
        noise: likewise.
        patch: likewise.
        patched: likewise.
        iterations: of the factorisation.
        photographs: SHA-256 of the committed photographs.
    """

    seed: int = 0
    version: int = 1
    clusters: int = 32
    per_cluster: int = 120
    tilt: float = 15.0
    crop: float = 0.4
    light: float = 0.6
    blur: float = 1.2
    noise: float = 6.0
    patch: tuple[int, int] = (16, 48)
    patched: float = 0.3
    iterations: int = 100
    photographs: str = photographs.SHA256


def build(recipe: Recipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
    """Write the factors into `data_dir` and each picture's source into `answers_dir`.

    Returns:
        `ceiling`: the score of the same network and clustering on the whole pictures, before they were factorised;
        `lost`: the share of the pictures' squared grey levels that the factors do not reproduce.
    """
    import pandas as pd

    truth, pictures = make_pictures(recipe)
    left, right = factorise(pictures, RANK, recipe.iterations, recipe.seed)
    np.savez(data_dir / "data_1.npz", left)
    np.savez(data_dir / "data_2.npz", right)
    pd.DataFrame({"id": np.arange(len(truth)), "source": truth}).to_csv(answers_dir / "answers.csv", index=False)
    lost = np.mean([((p - w @ h) ** 2).sum() / (p**2).sum() for p, w, h in zip(pictures, left, right, strict=True)])
    labels = oracle(pictures, recipe.clusters, recipe.seed)
    return {"ceiling": metric.grade(truth, labels).score, "lost": float(lost)}


def oracle(pictures: Float32, clusters: int, seed: int) -> NDArray[np.integer]:
    """Cluster whole pictures (n, 128, 128) by the best steps for the factors' products; return labels (n)."""
    from sklearn.cluster import KMeans

    network = load_network()
    starts = range(0, len(pictures), BATCH)
    views = [
        unit(embed(network, (oriented(normalised(pictures[i : i + BATCH]), turns) for i in starts)))
        for turns in _ORIENTATIONS
    ]
    mean = unit(np.mean(views, axis=0))
    start = KMeans(clusters, n_init=10, random_state=seed).fit_predict(whitened(mean, _COMPONENTS))
    return lda_kmeans(mean, start, _ROUNDS, seed)[0]


def make_pictures(recipe: Recipe) -> tuple[Integers, Float32]:
    """Return the sources (n) and the views (n, 128, 128) float32 of 0..255, in random order."""
    import cv2

    rng = np.random.default_rng(recipe.seed)
    originals = photographs.load()
    selected = rng.choice(len(originals), recipe.clusters, replace=False)
    enlarged = [cv2.resize(originals[i], (_ENLARGED, _ENLARGED), interpolation=cv2.INTER_CUBIC) for i in selected]
    truth = rng.permutation(np.repeat(np.arange(recipe.clusters), recipe.per_cluster))
    strengths = Augmentation(
        recipe.tilt, recipe.crop, recipe.light, recipe.blur, recipe.noise, recipe.patch, recipe.patched
    )  # fmt: skip
    return truth, np.stack([augmented(enlarged[source], SIDE, strengths, rng) for source in truth])
