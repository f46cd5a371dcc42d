"""The store of committed weights: what is saved is loaded, and only if its bytes are those of the manifest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neoai_utils import storage
from neoai_utils.errors import AssetError, NeoaiError
from neoai_utils.weights import Store, recipe_checksum


@dataclasses.dataclass(frozen=True)
class Recipe:
    seed: int = 0
    widths: tuple[int, ...] = (2, 3)


STATE = {"weight": torch.linspace(-1, 1, 6).reshape(2, 3), "steps": torch.tensor(7)}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "data", "networks.json", "net_{part}.safetensors")
    store.save("a", STATE, Recipe(), licence="MIT")
    return store


@given(
    hnp.arrays(np.float32, hnp.array_shapes(max_dims=3, max_side=4), elements=st.floats(-60000, 60000, width=16)),
    hnp.arrays(np.int64, hnp.array_shapes(min_dims=0, max_dims=2, max_side=3)),
)
def test_half_precision_numbers_and_integers_are_loaded_as_saved(
    tmp_path_factory: pytest.TempPathFactory, numbers: np.ndarray, integers: np.ndarray
) -> None:
    store = Store(tmp_path_factory.mktemp("store"), "manifest.json")
    state = {"numbers": torch.from_numpy(numbers), "integers": torch.from_numpy(integers)}
    store.save("part", state, Recipe())
    loaded = store.load("part")
    assert {key: values.dtype for key, values in loaded.items()} == {"numbers": torch.float32, "integers": torch.int64}
    assert all(torch.equal(loaded[key], state[key]) for key in state)


def test_other_numbers_are_rounded_to_half_precision_once(store: Store) -> None:
    loaded = store.load("a")
    assert torch.equal(loaded["weight"], STATE["weight"].half().float())
    first = store.path("a").read_bytes()
    store.save("a", loaded, Recipe())
    assert store.path("a").read_bytes() == first


def test_views_gradients_and_double_precision_can_be_saved(store: Store) -> None:
    weight = torch.arange(6.0, dtype=torch.float64).reshape(2, 3).requires_grad_()
    store.save("a", {"turned": weight.T}, Recipe())
    assert torch.equal(store.load("a")["turned"], weight.detach().float().T)


def test_the_manifest_tells_how_a_part_was_made(store: Store) -> None:
    assert store.manifest() == {
        "recipe": {"seed": 0, "widths": [2, 3]},
        "recipe_checksum": recipe_checksum(Recipe()),
        "licence": "MIT",
        "sha256": {"a": storage.sha256_of(store.folder / "net_a.safetensors")},
        "parameters": {"a": 7},
    }


def test_parts_are_added_and_replaced_each_for_itself(store: Store) -> None:
    before = store.manifest()["sha256"]["a"]
    store.save("b", {"bias": torch.ones(4)}, Recipe(), scores={"b": 0.5})
    store.save("c", {"bias": torch.ones(2)}, Recipe(1), scores={"c": 0.7}, licence="CC0")
    manifest = store.manifest()
    assert manifest["sha256"]["a"] == before
    assert manifest["parameters"] == {"a": 7, "b": 4, "c": 2}
    assert manifest["scores"] == {"b": 0.5, "c": 0.7}
    assert (manifest["recipe"]["seed"], manifest["licence"]) == (1, "CC0")
    assert torch.equal(store.load("b")["bias"], torch.ones(4))
    store.save("b", {"bias": torch.zeros(4)}, Recipe(1))
    assert not store.load("b")["bias"].any()


@given(st.integers(), st.lists(st.integers(), max_size=3).map(tuple))
def test_the_checksum_of_a_recipe_depends_on_its_values_alone(seed: int, widths: tuple[int, ...]) -> None:
    checksum = recipe_checksum(Recipe(seed, widths))
    assert len(checksum) == 64
    assert checksum == recipe_checksum(Recipe(seed, widths))
    assert checksum != recipe_checksum(Recipe(seed + 1, widths))
    assert checksum != recipe_checksum(Recipe(seed, (*widths, 0)))


# -------------------------------------------------------------------------------------------------- injected faults


def test_an_unknown_part_is_named_with_the_known_ones(store: Store) -> None:
    with pytest.raises(AssetError, match=r"networks\.json names no 'z', only a\."):
        store.load("z")


@pytest.mark.parametrize("position", [0, 40, -1])
def test_a_changed_byte_is_noticed(store: Store, position: int) -> None:
    content = bytearray(store.path("a").read_bytes())
    content[position] ^= 1
    store.path("a").write_bytes(content)
    with pytest.raises(AssetError, match=r"net_a\.safetensors is missing or damaged: install neoai again"):
        store.load("a")


@given(share=st.floats(0, 0.99))
def test_half_a_file_is_noticed(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    store = Store(tmp_path_factory.mktemp("half"), "manifest.json")
    store.save("a", STATE, Recipe())
    content = store.path("a").read_bytes()
    store.path("a").write_bytes(content[: int(share * len(content))])
    with pytest.raises(AssetError, match="missing or damaged"):
        store.load("a")


def test_a_missing_file_is_named(store: Store) -> None:
    store.path("a").unlink()
    with pytest.raises(AssetError, match=r"net_a\.safetensors is missing or damaged"):
        store.load("a")


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff"])
def test_a_missing_or_damaged_manifest_is_named(store: Store, content: bytes | None) -> None:
    path = store.folder / store.name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    for read in (store.manifest, lambda: store.load("a")):
        with pytest.raises(AssetError, match=r"networks\.json is missing or damaged: install neoai again"):
            read()


def test_a_save_that_fails_midway_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(tensors: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    before = {path.name: path.read_bytes() for path in store.folder.iterdir()}
    monkeypatch.setattr("safetensors.torch.save_file", half)
    with pytest.raises(NeoaiError, match="cannot write .*No space left"):
        store.save("a", {"weight": torch.zeros(2)}, Recipe())
    assert {path.name: path.read_bytes() for path in store.folder.iterdir()} == before


def test_weights_without_their_manifest_are_not_loaded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process killed between the two files leaves new weights beside the old manifest."""
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.save("a", {"weight": torch.zeros(2)}, Recipe())
    monkeypatch.undo()
    with pytest.raises(AssetError, match="missing or damaged"):
        store.load("a")
    store.save("a", {"weight": torch.zeros(2)}, Recipe())
    assert not store.load("a")["weight"].any()
