"""The techniques: known answers, properties, plain references, and a whole run on pictures that are easy to tell."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from neoai_utils.clustering import agreement, balanced, discriminant, embedding, graph, pictures
from neoai_utils.clustering.vectors import unit, whitened
from neoai_utils.errors import AssetError


def blobs(count=40, groups=4, width=12, spread=0.25, seed=0):
    """Return unit vectors around `groups` random directions, and the groups."""
    random = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), count)
    centres = random.normal(size=(groups, width))
    return unit((centres[truth] + spread * random.normal(size=(len(truth), width))).astype(np.float32)), truth


# ------------------------------------------------------------------------------------------------------ pictures


def test_batches_are_the_products_in_order():
    random = np.random.default_rng(0)
    left, right = random.random((11, 5, 2), np.float32), random.random((11, 2, 5), np.float32)
    parts = list(pictures.batches(left, right, size=4))
    assert [len(part) for part in parts] == [4, 4, 3]
    assert np.allclose(np.concatenate(parts), np.einsum("nik,nkj->nij", left, right))


def test_products_are_never_all_in_memory():
    left, right = np.ones((2000, 128, 4), np.float32), np.ones((2000, 4, 128), np.float32)
    tracemalloc.start()
    for part in pictures.batches(left, right):
        pictures.even(part)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20  # all products together would be 131 MB


@given(st.floats(0.2, 5), st.floats(-50, 50), st.integers(0, 100))
@settings(max_examples=30)
def test_even_light_forgets_brightness_and_contrast(contrast, brightness, seed):
    picture = np.random.default_rng(seed).uniform(0, 255, (1, 16, 16)).astype(np.float32)
    changed = picture * np.float32(contrast) + np.float32(brightness)
    assert np.allclose(pictures.even(changed), pictures.even(picture), atol=1e-3)


def test_a_flat_picture_stays_finite():
    assert np.isfinite(pictures.even(np.zeros((1, 8, 8), np.float32))).all()


def test_the_orientations_are_eight_and_different():
    picture = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    ways = {pictures.turned(picture, way).tobytes() for way in pictures.ORIENTATIONS}
    assert len(ways) == 8
    assert np.array_equal(pictures.turned(picture, 0), picture)
    assert np.array_equal(pictures.turned(picture, 4), picture[:, :, ::-1])


def test_stretched_factors_show_each_profile_as_a_bar():
    left = np.arange(512, dtype=np.float32).reshape(1, 128, 4)
    right = np.full((1, 4, 128), 7, np.float32)
    (picture,) = next(pictures.stretched(left, right))
    assert picture.shape == (64, 64)
    assert np.array_equal(picture[:, 8], left[0, ::2, 1])
    assert (picture[:, 32:] == 7).all()


def test_frames_tell_marked_pictures():
    right, wrong = (pictures.framed(np.zeros((4, 4), np.float32), marked) for marked in (False, True))
    assert right.shape == wrong.shape == (20, 20, 3)
    assert np.array_equal(right[8:-8, 8:-8], wrong[8:-8, 8:-8]) and (right[0] != wrong[0]).any()


# ------------------------------------------------------------------------------------------------------- vectors


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_whitened_rows_have_length_one_and_no_favourite_direction(seed):
    random = np.random.default_rng(seed)
    vectors = (random.normal(size=(300, 20)) * np.geomspace(1, 1e3, 20)).astype(np.float32)
    found = whitened(vectors, 5)
    assert found.shape == (300, 5)
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    spreads = found.std(axis=0)
    assert spreads.max() < 2 * spreads.min()


def test_a_row_of_zeros_survives():
    assert np.array_equal(unit(np.zeros((1, 3), np.float32)), np.zeros((1, 3)))


# --------------------------------------------------------------------------------------------------------- graph


def test_reciprocal_similarities_against_sets():
    vectors, _ = blobs(count=8)
    count = 5
    gaps = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    near = [set(np.argsort(row)[: count + 1]) - {i} for i, row in enumerate(gaps)]
    circles = [{i} | {j for j in near[i] if i in near[j]} for i in range(len(vectors))]
    expected = np.array([[len(a & b) / len(a | b) for b in circles] for a in circles])
    expected[expected <= 0.05] = 0
    assert np.allclose(graph.reciprocal(vectors, count).toarray(), expected)


@pytest.mark.parametrize("way", [graph.neighbours, graph.reciprocal])
def test_graphs_are_symmetric_and_spectral_finds_the_blobs(way):
    vectors, truth = blobs(spread=0.35)
    found = way(vectors, 15)
    assert abs(found - found.T).max() < 1e-12
    assert adjusted_rand_score(truth, graph.spectral(found, 4, seed=0)) > 0.9


# -------------------------------------------------------------------------------- discriminants, sizes, consensus


def test_discriminants_repair_a_rough_clustering():
    """Two thirds of the labels are right, and most of the width is noise that hides the groups."""
    random = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 100)
    signal = np.eye(4)[truth] + 0.35 * random.normal(size=(400, 4))
    vectors = unit(np.concatenate([signal, random.normal(size=(400, 20))], axis=1).astype(np.float32))
    rough = np.where(random.random(400) < 0.67, truth, random.integers(0, 4, 400))
    labels, space = discriminant.sharpened(vectors, rough, rounds=5, seed=0)
    assert space.shape == (400, 3)
    assert adjusted_rand_score(truth, labels) > 1.5 * adjusted_rand_score(truth, rough)


def test_centres_are_the_means():
    vectors = np.array([[0, 0], [2, 0], [5, 5]], np.float32)
    assert np.array_equal(discriminant.centres_of(vectors, np.array([0, 0, 1])), [[1, 0], [5, 5]])


@given(st.integers(20, 70), st.integers(2, 7), st.integers(0, 1000))
@settings(max_examples=25)
def test_sizes_are_equal_or_differ_by_one(count, groups, seed):
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(groups), random.integers(0, groups, count - groups)])
    found = balanced.equal_sizes(random.normal(size=(count, 3)).astype(np.float32), labels, rounds=2)
    sizes = np.bincount(found, minlength=groups)
    assert sizes.sum() == count
    assert sizes.max() - sizes.min() <= 1


def test_seating_is_the_cheapest():
    """Five points on a line, sizes 3 and 2: the middle one goes where it costs less."""
    vectors = np.array([[0.0], [1.0], [4.0], [9.0], [10.0]], np.float32)
    found = balanced.equal_sizes(vectors, np.array([0, 0, 0, 1, 1]), rounds=1)
    assert found.tolist() == [0, 0, 0, 1, 1]


def test_agreement_of_equal_and_of_unrelated_labellings():
    labels = np.arange(1000) % 10
    assert agreement.agreement([labels, 9 - labels, labels]) == 1.0
    assert abs(agreement.agreement([labels, np.random.default_rng(0).integers(0, 10, 1000)])) < 0.02


def test_products_of_consensus_rows_are_shares_of_agreeing_labellings():
    labelings = [np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), np.array([2, 2, 2, 0])]
    rows = agreement.consensus(labelings)
    expected = np.mean([labels[:, None] == labels[None] for labels in labelings], axis=0)
    assert np.allclose(rows @ rows.T, expected)


# ------------------------------------------------------------------------------------------------------- network


@pytest.fixture(scope="module")
def tiny():
    """A network of timm's with random weights: what is tested is the way through it."""
    import timm
    import torch

    torch.manual_seed(0)
    return timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()


def test_one_vector_a_picture_whatever_the_batches(tiny):
    import torch

    net = embedding.Network(tiny, (0.5,) * 3, (0.5,) * 3)
    shown = np.random.default_rng(0).random((6, 64, 64), np.float32)
    threads = torch.get_num_threads()
    whole = embedding.embed(net, [shown])
    parts = embedding.embed(net, (shown[i : i + 4] for i in (0, 4)))
    assert torch.get_num_threads() == threads
    assert (whole.shape, whole.dtype) == ((6, 1280), np.float32)
    assert np.allclose(whole, parts, atol=1e-4)
    assert np.array_equal(parts, embedding.embed(net, (shown[i : i + 4] for i in (0, 4))))
    colours = torch.from_numpy((shown - 0.5) / 0.5)[:, None].expand(-1, 3, -1, -1)
    with torch.inference_mode():
        assert np.allclose(whole, tiny.forward_features(colours).mean((2, 3)).numpy(), atol=1e-4)


def test_a_network_with_a_fixed_size_gets_it():
    import timm

    module = timm.create_model("test_vit", pretrained=False, num_classes=0)
    net = embedding.Network(
        module.eval(), (0.5,) * 3, (0.5,) * 3, side=module.default_cfg["input_size"][1], pooled=True
    )
    found = embedding.embed(net, [np.zeros((2, 128, 128), np.float32)])
    assert found.shape == (2, module.num_features)


def test_an_unknown_network_is_named():
    with pytest.raises(AssetError, match="'no_such_network' cannot be had"):
        embedding.load_network("no_such_network")


@pytest.mark.assets
def test_the_real_network_knows_a_photograph_from_another():
    from neoai_utils.clustering.miniature import photographs
    from neoai_utils.offline import OutOfReachError

    try:
        net = embedding.load_network()
    except OutOfReachError as error:
        pytest.skip(str(error))
    some = np.stack([p[:112, :112] for p in photographs.load()[:6]])
    shifted = np.stack([p[8:, 8:] for p in photographs.load()[:6]])
    one, other = (unit(embedding.embed(net, [pictures.even(x)])) for x in (some, shifted))
    assert ((one @ other.T).argmax(axis=1) == np.arange(6)).all()
