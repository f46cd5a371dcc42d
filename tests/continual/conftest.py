"""A competition folder written by the test, and a network small enough to train in a second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import checkpoint, files

TINY = {
    "embed_dims": (8, 8, 16, 16), "depths": (1, 1, 1, 1), "num_heads": (1, 1, 2, 2), "window_sizes": (4, 4, 2, 2),
    "drop_path_rate": 0.0,
}  # fmt: skip
LABELS = [4, 4, 4, 5, 5, 5, 8, 8, 8, 12, 12, 12]
WEAK = [4, 5, 8, 12]
OLD = [number for number in range(102) if number not in WEAK]
"""Weak classes of the twelve `pixels`; all others are old."""


def same(first: TinyVit, second: TinyVit) -> bool:
    """Whether two networks have the same weights and statistics."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs if a.is_floating_point())


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> TinyVit:
    """A TinyViT with the competition's 102 outputs and random weights, its BatchNorm statistics not the default."""
    torch.manual_seed(0)
    model = TinyVit(num_classes=files.CLASSES, **TINY)
    model.train()
    for _ in range(3):
        model(torch.rand(16, 3, 32, 32) - 0.5)
    return model.eval()


@pytest.fixture
def pixels() -> np.ndarray:
    """Twelve pictures, (12, 3, 32, 32) uint8: three of each of four colours, with noise."""
    rng = np.random.default_rng(0)
    colours = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220], [220, 220, 30]]).repeat(3, axis=0)
    noisy = colours[..., None, None] + rng.normal(0, 25, (12, 3, 32, 32))
    return noisy.clip(0, 255).astype(np.uint8)


@pytest.fixture
def competition(tmp_path: Path, tiny: TinyVit) -> Path:
    """The competition's folder with three labelled and four test pictures of several sizes and formats."""
    folder = tmp_path / "competition"
    for part in ("train_images", "test_images"):
        (folder / part).mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name, (height, width) in {"a.jpg": (50, 40), "b.png": (30, 60), "c.jpg": (300, 200)}.items():
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(folder / "train_images" / name)
    for name in ("10.jpg", "2.jpg", "x.png", "y.webp"):
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(folder / "test_images" / name)
    (folder / "test_images" / "notes.txt").write_text("no picture")
    (folder / "train.csv").write_text("path,class\na.jpg,4\nb.png,92\nc.jpg,4\n")
    checkpoint.save(tiny.state_dict(), folder / "model.pt")
    return folder
