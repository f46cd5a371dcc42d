"""Self-training against a plain refit on all cells, and that a left-out picture's mask is not seen."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from neoai_utils.errors import ParameterError
from neoai_utils.segmentation import metric, patch_probe, selection
from neoai_utils.segmentation.self_training import self_trained
from tests.segmentation.conftest import toy


def fitted(features, masks):
    return selection.MaskProbe((1.0,)).fit(features, masks)


def test_the_second_fit_is_scikit_learns_on_guessed_labels():
    """Labels of the three others: the first map, sharpened; their cells weigh as much as those of the four known."""
    features, masks = toy(pictures=7)
    known, others = features[:4], features[4:]
    first = fitted(known, masks[:4])
    taught = self_trained(first, known, masks[:4], iter([others[:2], others[2:]]))
    guesses = np.clip((first.probe.predict(others) - first.threshold) / 0.2 + 0.5, 0, 1)
    labels = np.concatenate([patch_probe.soft_labels(masks[:4], 14).ravel(), guesses.ravel()])
    weights = np.repeat([1.0, 4 / 3], [4 * 196, 3 * 196])
    plain = Ridge(alpha=2.0).fit(features.reshape(-1, 6), labels, sample_weight=weights)
    np.testing.assert_allclose(taught.probe.slope, plain.coef_, atol=1e-3)
    assert taught.probe.offset == pytest.approx(plain.intercept_, abs=1e-3)


def test_batches_do_not_matter():
    features, masks = toy(pictures=7)
    first = fitted(features[:4], masks[:4])
    whole, single = (
        self_trained(first, features[:4], masks[:4], pool) for pool in ([features[4:]], [f[None] for f in features[4:]])
    )
    np.testing.assert_allclose(whole.left_out, single.left_out, atol=1e-4)
    np.testing.assert_allclose(whole.probe.slope, single.probe.slope, atol=1e-4)


def test_a_left_out_picture_never_sees_its_own_mask():
    """Turning one mask upside down leaves its own map as it was, and changes the others."""
    features, masks = toy(pictures=7)
    first = fitted(features[:5], masks[:5])
    before = self_trained(first, features[:5], masks[:5], [features[5:]]).left_out
    after = self_trained(first, features[:5], [*masks[:2], ~masks[2], *masks[3:5]], [features[5:]]).left_out
    np.testing.assert_allclose(before[2], after[2], atol=1e-4)
    assert all(np.abs(before[i] - after[i]).max() > 0.02 for i in (0, 1, 3, 4))


def test_a_taught_probe_segments_as_the_first_does():
    features, masks = toy(pictures=8)
    taught = self_trained(fitted(features[:4], masks[:4]), features[:4], masks[:4], [features[4:]])
    found = taught.predict(features[4:], [(70, 100)] * 4)
    assert metric.mean_iou(found, masks[4:]) > 0.8
    assert taught.left_out.shape == (4, 14, 14)


def test_without_other_pictures_there_is_nothing_to_guess():
    features, masks = toy(pictures=3)
    with pytest.raises(ParameterError, match="one at least"):
        self_trained(fitted(features, masks), features, masks, [])
