"""A competition folder in the real format, of any size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from neoai_utils.clustering.vectors import unit


def _write(folder: Path, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.gamma(1.0, 8.0, (count, 128, 4)).astype(np.float32)
    right = rng.gamma(1.0, 4.0, (count, 4, 128)).astype(np.float32)
    np.savez(folder / "data_1.npz", left)
    np.savez(folder / "data_2.npz", right)
    return left, right


@pytest.fixture
def write_factors() -> Callable[[Path, int], tuple[np.ndarray, np.ndarray]]:
    """Give the function that writes both files into a folder and returns their arrays."""
    return _write


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """The competition's two files, with forty pictures."""
    _write(tmp_path, 40)
    return tmp_path


@pytest.fixture
def saved_network(tmp_path: Path):
    """Save a small network of timm with random weights as the hub has it; give its folder and the network."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "network"
    folder.mkdir()
    torch.manual_seed(0)
    module = timm.create_model("test_vit", pretrained=False).eval()
    settings = {"input_size": [3, 160, 160], "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    (folder / "config.json").write_text(json.dumps({"architecture": "test_vit", "pretrained_cfg": settings}))
    save_file(module.state_dict(), folder / "model.safetensors")
    return folder, module


def blobs(count=40, groups=4, width=12, spread=0.25, seed=0):
    """Return unit vectors around `groups` random directions, and the groups."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(groups), count)
    centres = rng.normal(size=(groups, width))
    return unit((centres[truth] + spread * rng.normal(size=(len(truth), width))).astype(np.float32)), truth
