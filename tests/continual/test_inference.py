"""Logits and features do not depend on the batch size, and NaN is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import head, inference
from neoai_utils.errors import NotANumberError


def test_logits_that_are_no_number_are_refused(tiny: TinyVit, pixels: np.ndarray) -> None:
    with torch.no_grad():
        tiny.head.fc.bias[0] = float("nan")
    with pytest.raises(NotANumberError, match="logits"):
        inference.logits(tiny, pixels)


def test_logits_do_not_depend_on_the_batch(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.testing.assert_close(inference.logits(tiny, pixels, batch_size=5), inference.logits(tiny, pixels))


def test_features_through_the_head_are_the_logits(tiny: TinyVit, pixels: np.ndarray) -> None:
    torch.testing.assert_close(tiny.head.fc(inference.features(tiny, pixels)), inference.logits(tiny, pixels))


def test_flipped_logits_are_the_same_for_the_mirrored_pictures(tiny: TinyVit, pixels: np.ndarray) -> None:
    mirrored = np.ascontiguousarray(pixels[..., ::-1])
    torch.testing.assert_close(
        inference.logits(tiny, pixels, flip=True), inference.logits(tiny, mirrored, flip=True), rtol=1e-4, atol=1e-5
    )


def test_features_of_mirror_images_make_the_mirrored_logits(tiny: TinyVit, pixels: np.ndarray) -> None:
    both = (inference.features(tiny, pixels) + inference.features(tiny, pixels, mirrored=True)) / 2
    torch.testing.assert_close(head.logits(tiny, both), inference.logits(tiny, pixels, flip=True))
    mirrored = inference.features(tiny, pixels[..., ::-1].copy())
    torch.testing.assert_close(inference.features(tiny, pixels, mirrored=True), mirrored)
