"""A competition folder in the real format, a tiny random CLIP, and masks to play with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neoai_utils.segmentation import files, patch_probe
from neoai_utils.segmentation.backbones import Clip, clip_from, open_clip_from

SIZES = [(249, 202), (500, 375), (600, 798)]  # width, height: the original's smallest, commonest, largest


def write_picture(path: Path, size: tuple[int, int], seed: int) -> None:
    width, height = size
    values = np.random.default_rng(seed).integers(0, 255, (height // 20, width // 20, 3), dtype=np.uint8)
    Image.fromarray(values).resize(size).save(path, quality=80)


def write_mask(path: Path, size: tuple[int, int]) -> None:
    mask = np.zeros(size[::-1], dtype=np.uint8)
    mask[size[1] // 4 : size[1] // 2, size[0] // 4 : size[0] // 2] = 255
    Image.fromarray(mask).save(path)


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    """The competition's layout: three labelled pictures (and a stray file, as in the original), four to segment."""
    for name in files.REQUIRED:
        (tmp_path / name).mkdir(parents=True)
    for index, size in enumerate(SIZES):
        write_picture(tmp_path / f"cuties/val_imgs/beagle_{index}.jpg", size, index)
        write_mask(tmp_path / f"cuties/val_masks/beagle_{index}.png", size)
    (tmp_path / "cuties/val_imgs/.DS_Store").write_text("stray", encoding="utf-8")
    (tmp_path / "cuties/val_imgs/notes.txt").write_text("stray", encoding="utf-8")
    for index, size in enumerate([*SIZES, (300, 225)]):
        write_picture(tmp_path / f"cuties/test_imgs/{(index * 7) % 11}.jpg", size, 10 + index)
    return tmp_path


@pytest.fixture(scope="session")
def tiny_clip() -> Clip:
    """A real CLIPModel with random weights: 4 blocks, 14 x 14 cells of 4 pixels."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    text = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 50,
        "max_position_embeddings": 8,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }
    vision = {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 4,
    }
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).eval()

    class Words:
        def __call__(self, texts: list[str], **_: object) -> Words:
            rows = [[0, *(2 + ord(c) % 48 for c in text[:4].ljust(4)), 1] for text in texts]
            self.tensors = {
                "input_ids": torch.tensor(rows),
                "attention_mask": torch.ones(len(rows), 6, dtype=torch.long),
            }
            return self

        def to(self, _device: object) -> dict[str, torch.Tensor]:
            return self.tensors

    return clip_from(model, Words())


@pytest.fixture(scope="session")
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 255, (40, 60, 3), dtype=np.uint8), rng.integers(0, 255, (64, 48, 3), dtype=np.uint8)]


def toy(pictures: int = 5, grid: int = 14, width: int = 6, seed: int = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Pictures whose left part is animal; the features know it, with noise."""
    rng = np.random.default_rng(seed)
    masks, cells = [], []
    for _ in range(pictures):
        edge = rng.integers(20, 80)
        mask = np.zeros((70, 100), dtype=bool)
        mask[:, :edge] = True
        share = patch_probe.soft_labels([mask], grid)[0]
        cells.append(rng.normal(0, 0.5, (grid, grid, width)) + share[..., None] * np.linspace(-1, 1, width))
        masks.append(mask)
    return np.stack(cells).astype(np.float32), masks


@pytest.fixture(scope="session")
def small_open_clip() -> Clip:
    open_clip = pytest.importorskip("open_clip")
    torch.manual_seed(0)
    vision = {"image_size": 32, "layers": 3, "width": 32, "patch_size": 8, "head_width": 16}
    text = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
    model = open_clip.CLIP(embed_dim=12, vision_cfg=vision, text_cfg=text).eval()
    return open_clip_from(model, lambda texts: torch.full((len(texts), 8), 3))
