"""Augmented pictures differ from the originals in the intended way only."""

from __future__ import annotations

import torch

from neoai_utils.continual import augmentation


def test_deformed_pictures_move_little_and_each_in_its_way() -> None:
    ramp = torch.linspace(-0.5, 0.5, 32).expand(6, 3, 32, 32).contiguous()
    views = augmentation.deform(ramp, torch.Generator().manual_seed(0))
    assert views.shape == ramp.shape
    assert float((views - ramp).abs().max()) < 0.5
    assert len({round(float(picture.std()), 5) for picture in views}) == 6


def test_augmented_pictures_are_the_picture_or_its_mirror() -> None:
    images = torch.rand(64, 3, 4, 4) - 0.5
    views = augmentation.augment(images, torch.Generator().manual_seed(0))
    mirrored = 0
    for view, image in zip(views, images, strict=True):
        fits = []
        for candidate in (image, image.flip(2)):
            design = torch.stack([candidate.flatten(), torch.ones(48)], dim=1)
            line = torch.linalg.lstsq(design, view.flatten()[:, None]).solution
            fits.append(float((design @ line - view.flatten()[:, None]).abs().max()) < 1e-4)
        assert any(fits)
        mirrored += fits[1]
    assert 16 < mirrored < 48
