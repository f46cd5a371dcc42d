"""Task 4: TinyViT at 224 pixels: factors in their real number are read; two pairs become pictures, then vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.real_size import MODELS, ROWS
from neoai_utils import runtime
from neoai_utils.clustering import embedding, files, pictures
from neoai_utils.clustering.vectors import unit


@pytest.fixture(scope="module")
def factors(data: Path) -> files.Factors:
    """Give random profiles."""
    rng, count = np.random.default_rng(0), ROWS["task4"]["pairs"]
    for name, shape in (("data_1.npz", (count, 128, 4)), ("data_2.npz", (count, 4, 128))):
        np.savez(data / name, 8 * rng.random(shape, dtype=np.float32))
    return files.read(data)


@pytest.fixture(scope="module")
def network(folder: Path) -> embedding.Network:
    made = MODELS["task4"](folder / "models")
    return embedding.open_network(str(made["network"]), runtime.pick_device(), competition=True)


def test_two_pairs_become_pictures_and_vectors(factors: files.Factors, network: embedding.Network) -> None:
    assert (factors.left.shape, factors.right.shape) == ((3840, 128, 4), (3840, 4, 128))
    assert (network.side, network.pooled) == (224, True)
    (products,) = pictures.batches(factors.left[:2], factors.right[:2])
    assert (products.shape, products.dtype) == ((2, 128, 128), np.float32)
    upright = pictures.normalised(products)
    views = [unit(embedding.embed(network, [pictures.oriented(upright, turns)])) for turns in (0, 1)]
    for view in views:
        assert (view.shape, view.dtype) == ((2, 320), np.float32)
        assert np.isfinite(view).all()
        assert np.allclose(np.linalg.norm(view, axis=1), 1, atol=1e-5)
        assert np.abs(view[0] - view[1]).max() > 1e-6, "two pictures differ"
    assert np.abs(views[0] - views[1]).max() > 1e-6, "a turned picture differs"
    published = embedding.embed(network, pictures.batches(factors.left[:2], factors.right[:2]))
    assert np.isfinite(published).all()
    assert np.abs(published).max() > 0
    assert len(files.submission(np.arange(3840) % files.CLUSTERS)) == 3840
