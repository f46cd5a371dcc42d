"""The folder that the miniature writes."""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np

from neoai_utils.clustering import files, miniature
from neoai_utils.clustering.miniature.nmf import factorise

SMALL = miniature.Recipe(per_cluster=2)


def without_network(monkeypatch):
    """Replace the oracle by one that needs no network."""
    monkeypatch.setattr(miniature, "oracle", lambda pictures, clusters, seed: np.arange(len(pictures)) % clusters)


def folders(path):
    for name in ("data", "answers"):
        (path / name).mkdir(parents=True)
    return path / "data", path / "answers"


def test_the_miniature_has_the_competitions_form(tmp_path, monkeypatch):
    without_network(monkeypatch)
    data, answers = folders(tmp_path)
    facts = miniature.build(SMALL, data, answers)
    assert sorted(p.name for p in data.iterdir()) == ["data_1.npz", "data_2.npz"]
    factors = files.read(data)
    assert len(factors) == 64
    truth = files.sources(answers)
    assert np.array_equal(np.bincount(truth), [2] * 32)
    assert files.grade(files.submission(truth), answers).score == 1.0
    assert 0.01 < facts["lost"] < 0.2


def test_products_are_the_views_without_their_detail():
    truth, views = miniature.make_pictures(SMALL)
    left, right = factorise(views, 4, SMALL.iterations, SMALL.seed)
    correlations = [np.corrcoef(v.ravel(), (w @ h).ravel())[0, 1] for v, w, h in zip(views, left, right, strict=True)]
    assert np.median(correlations) > 0.7
    assert len(truth) == len(views) == 64


def test_the_same_seed_gives_the_same_bytes(tmp_path, monkeypatch):
    without_network(monkeypatch)
    sums = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        data, answers = folders(tmp_path / name)
        miniature.build(dataclasses.replace(SMALL, seed=seed), data, answers)
        sums.append([hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted((tmp_path / name).rglob("*.*"))])
    assert sums[0] == sums[1]
    assert not set(sums[0]) & set(sums[2])


def test_the_full_recipe_has_the_real_size():
    recipe = miniature.Recipe()
    assert recipe.clusters * recipe.per_cluster == 3840
    assert recipe.clusters == files.CLUSTERS
