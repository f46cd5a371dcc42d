"""The miniature of "Cluster pictures": photographs of birds, many random views of each, as rank-4 factors.

What is as in the original: the files, their shapes and dtypes, 3,840 pictures of 32 sources, grey levels of 0..255,
non-negative factors of rank 4 whose components have a random order. What is not published, so that the miniature had to
guess: the photographs, the strength of the random changes, and that every source has the same 120 pictures.

There are two, of different strength. The organisers' baseline scores .02 in both, as in the original. In the kind one
the published solution scores about what it scored there, but pictures that are only scaled as the network expects score
three times as much, far above the original leaderboard's best; participants did scale them, so the original was harder.
In the hard one they score about half of that, and the published solution about three quarters. It crops to as little as
a twentieth of the area and changes the light more. It adds no noise, as noise ruins the published solution first.

- `photographs`: the committed photographs.
- `augment`: random views of a photograph.
- `nmf`: the factorisation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
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
from neoai_utils.errors import ParameterError, did_you_mean

__all__ = ["STRENGTHS", "Recipe", "build", "make_pictures", "oracle"]

STRENGTHS: dict[str, Augmentation] = {
    "hard": Augmentation(tilt=15.0, crop=0.95, light=0.7, blur=1.2, noise=0.0, patch=(16, 48), patched=0.3),
    "kind": Augmentation(tilt=15.0, crop=0.4, light=0.6, blur=1.2, noise=6.0, patch=(16, 48), patched=0.3),
}
"""Difficulty -> strengths of the random changes."""

_ENLARGED = 256  # pixels of a photograph's side while it is turned and cropped
_ORIENTATIONS = (0, 1)  # the oracle's views: as they are, and a quarter turn
_COMPONENTS, _ROUNDS = 96, 6  # the oracle's whitened components, and rounds of LDA and k-means


@dataclass(frozen=True)
class Recipe:
    """Every constant that shapes the miniature.

    Attributes:
        seed: of photographs, views and factorisation.
        difficulty: "hard" or "kind", a key of `STRENGTHS`.
        version: of the code; raised when the same constants give other files.
        clusters: photographs that views are made of.
        per_cluster: views of a photograph.
        iterations: of the factorisation.
        photographs: SHA-256 of the committed photographs.
        strengths: of the random changes; they follow from the difficulty.

    Raises:
        ParameterError: there is no such difficulty.
    """

    seed: int = 0
    difficulty: str = "hard"
    version: int = 2
    clusters: int = 32
    per_cluster: int = 120
    iterations: int = 100
    photographs: str = photographs.SHA256
    strengths: Augmentation = field(init=False)

    def __post_init__(self) -> None:
        """Look up the strengths of the difficulty."""
        if self.difficulty not in STRENGTHS:
            raise ParameterError(f"unknown difficulty {self.difficulty!r}{did_you_mean(self.difficulty, STRENGTHS)}")
        object.__setattr__(self, "strengths", STRENGTHS[self.difficulty])  # the instance is frozen


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
    return truth, np.stack([augmented(enlarged[source], SIDE, recipe.strengths, rng) for source in truth])
