"""Committed weights: written as float16 with a manifest, and read only if their checksum is the manifest's."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from neoai_utils.errors import AssetError
from neoai_utils.storage import sha256_of
from neoai_utils.weights import Store, recipe_checksum


@dataclasses.dataclass(frozen=True)
class Recipe:
    steps: int = 5
    sizes: tuple[int, ...] = (2, 3)


STATE = {"weight": torch.tensor([0.1, 70.0]), "index": torch.tensor([1, 2])}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path, "manifest.json", "{part}-small.safetensors")
    made.save("tower", STATE, Recipe(), licence="MIT")
    return made


def test_what_is_saved_is_loaded_as_float32_with_half_precision(store: Store) -> None:
    loaded = store.load("tower")
    assert loaded["weight"].dtype == torch.float32
    assert torch.equal(loaded["weight"], STATE["weight"].half().float())
    assert torch.equal(loaded["index"], STATE["index"])


def test_the_manifest_names_recipe_and_parts(store: Store) -> None:
    store.save("head", {"bias": torch.zeros(3)}, Recipe(), licence="MIT")
    manifest = store.manifest()
    assert manifest["recipe"] == {"steps": 5, "sizes": [2, 3]}
    assert manifest["recipe_checksum"] == recipe_checksum(Recipe()) != recipe_checksum(Recipe(steps=6))
    assert manifest["parameters"] == {"tower": 4, "head": 3}
    assert manifest["sha256"] == {part: sha256_of(store.path(part)) for part in ("tower", "head")}
    assert manifest["licence"] == "MIT"
    assert store.path("tower").name == "tower-small.safetensors"


@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=["empty", "changed", "missing"])
def test_a_damaged_part_is_not_read(store: Store, damage: bytes | None) -> None:
    if damage is None:
        store.path("tower").unlink()
    else:
        store.path("tower").write_bytes(damage)
    with pytest.raises(AssetError, match="tower-small.safetensors is missing or damaged: install neoai again"):
        store.load("tower")


def test_an_unknown_part_and_a_damaged_manifest_are_named(store: Store) -> None:
    with pytest.raises(AssetError, match=r"manifest\.json names no 'tail', only tower"):
        store.load("tail")
    (store.folder / "manifest.json").write_text(json.dumps(store.manifest())[:20])
    with pytest.raises(AssetError, match=r"manifest\.json is missing or damaged"):
        store.load("tower")
