"""The miniature of "Cluster pictures": photographs of birds, seen in many ways, in rank-4 factors.

What is as in the original: the files, their shapes and dtypes, 3,840 pictures of 32 sources, grey levels of 0..255,
non-negative factors of rank 4 whose components have a random order. What nobody outside knows, and the miniature had to
guess: the photographs, how far the random changes go, and that every source has the same 120 pictures. The strengths
were set so that the organisers' baseline and the published solution score about what they scored in the original.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neoai_utils.clustering.discriminant import sharpened
from neoai_utils.clustering.embedding import embed, load_network
from neoai_utils.clustering.files import RANK, SIDE
from neoai_utils.clustering.miniature import photographs
from neoai_utils.clustering.miniature.augment import Family, augmented
from neoai_utils.clustering.miniature.nmf import factorise
from neoai_utils.clustering.pictures import BATCH, even, turned
from neoai_utils.clustering.vectors import unit, whitened
from neoai_utils.tables import read_csv

__all__ = ["Recipe", "build", "make_pictures", "oracle", "sources"]

_ENLARGED = 256  # pixels of a photograph's side while it is turned and cropped
_ORIENTATIONS = (0, 1)  # the oracle's views: as they are, and a quarter turn
_COMPONENTS, _ROUNDS = 96, 6  # the oracle's whitened components, and rounds of discriminants


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature (those of the random changes are explained in `augment.Family`)."""

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
        `lost`: the share of the pictures' squared grey levels that the factors lost.
    """
    import pandas as pd
    from sklearn.metrics import adjusted_rand_score

    truth, pictures = make_pictures(recipe)
    left, right = factorise(pictures, RANK, recipe.iterations, recipe.seed)
    np.savez(data_dir / "data_1.npz", left)
    np.savez(data_dir / "data_2.npz", right)
    pd.DataFrame({"id": np.arange(len(truth)), "source": truth}).to_csv(answers_dir / "answers.csv", index=False)
    lost = np.mean([((p - w @ h) ** 2).sum() / (p**2).sum() for p, w, h in zip(pictures, left, right, strict=True)])
    found = oracle(pictures, recipe.clusters, recipe.seed)
    return {"ceiling": float(adjusted_rand_score(truth, found)), "lost": float(lost)}


def oracle(pictures: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.integer]:
    """Cluster whole pictures (n, 128, 128) the way the factors' products are clustered at best; return labels (n,)."""
    from sklearn.cluster import KMeans

    network = load_network()
    starts = range(0, len(pictures), BATCH)
    views = [
        unit(embed(network, (turned(even(pictures[i : i + BATCH]), way) for i in starts))) for way in _ORIENTATIONS
    ]
    mean = unit(np.mean(views, axis=0))
    rough = KMeans(clusters, n_init=10, random_state=seed).fit_predict(whitened(mean, _COMPONENTS))
    return sharpened(mean, rough, _ROUNDS, seed)[0]


def sources(answers_dir: Path | None) -> NDArray[np.int64] | None:
    """Return the true source of each picture, for looking at mistakes after the submission; None where unknown.

    Nothing that leads to a submission may call this: a test plays the notebook without the answers and compares.
    """
    if answers_dir is None:
        return None
    answers = read_csv(answers_dir / "answers.csv", {"id": "integer", "source": "integer"}, id_column="id")
    return answers.sort_values("id")["source"].to_numpy()


def make_pictures(recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the sources (n,) and the views (n, 128, 128) float32 of 0..255, in random order."""
    import cv2

    random = np.random.default_rng(recipe.seed)
    originals = photographs.load()
    chosen = random.choice(len(originals), recipe.clusters, replace=False)
    enlarged = [cv2.resize(originals[i], (_ENLARGED, _ENLARGED), interpolation=cv2.INTER_CUBIC) for i in chosen]
    truth = random.permutation(np.repeat(np.arange(recipe.clusters), recipe.per_cluster))
    family = Family(recipe.tilt, recipe.crop, recipe.light, recipe.blur, recipe.noise, recipe.patch, recipe.patched)
    return truth, np.stack([augmented(enlarged[source], SIDE, family, random) for source in truth])
