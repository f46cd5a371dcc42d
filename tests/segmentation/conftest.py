"""A competition folder in the real format, a tiny random CLIP, and masks to play with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from neoai_utils.segmentation import files
from neoai_utils.segmentation.features import Clip, clip_from

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
    random = np.random.default_rng(3)
    return [random.integers(0, 255, (40, 60, 3), dtype=np.uint8), random.integers(0, 255, (64, 48, 3), dtype=np.uint8)]


def read_json(path: Path) -> object:
    return json.loads(path.read_text(encoding="utf-8"))
