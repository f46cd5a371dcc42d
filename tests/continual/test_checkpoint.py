"""`model.pt`: both spellings are read, everything else is refused with its reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import checkpoint
from neoai_utils.errors import DataError


@pytest.mark.parametrize("prefix", [True, False])
def test_both_spellings_give_the_same_network(tiny: TinyVit, tmp_path: Path, prefix: bool) -> None:
    path = tmp_path / "model.pt"
    checkpoint.save(tiny.state_dict(), path, prefix=prefix)
    names = torch.load(path, weights_only=True)
    assert all(name.startswith("model.") == prefix for name in names)
    found = checkpoint.load(path, 102)
    images = torch.rand(3, 3, 32, 32) - 0.5
    assert torch.equal(found(images), tiny(images))


def test_the_full_size_is_read_from_the_shapes(tmp_path: Path) -> None:
    full = checkpoint.tiny_vit_5m(102)
    checkpoint.save(full.state_dict(), tmp_path / "model.pt")
    found = checkpoint.load(tmp_path / "model.pt", 102)
    arguments = checkpoint.architecture_of(found.state_dict())
    assert arguments["embed_dims"] == (64, 128, 160, 320)
    assert arguments["depths"] == (2, 2, 6, 2)
    assert arguments["num_heads"][1:] == (4, 5, 10)
    assert arguments["window_sizes"] == (7, 7, 14, 7)
    image = torch.rand(1, 3, 224, 224) - 0.5
    with torch.inference_mode():
        torch.testing.assert_close(found(image), full(image))


class Trap:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save({"model.head": Trap()}, tmp_path / "model.pt")
    with pytest.raises(DataError, match="pickled objects are refused"):
        checkpoint.read_state(tmp_path / "model.pt")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds a list in place of a state dict"),
        ({}, "holds a dict in place of"),
        ({"epoch": 3}, "entry 'epoch' is a int in place of a tensor"),
        ({"w": torch.tensor([1.0, float("nan")])}, "w holds NaN or infinity"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(DataError, match=re.escape(message)):
        checkpoint.read_state(tmp_path / "model.pt")


def test_a_damaged_or_missing_file_is_refused(tiny: TinyVit, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(DataError, match="does not exist"):
        checkpoint.read_state(path)
    checkpoint.save(tiny.state_dict(), path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be read as a state dict"):
        checkpoint.read_state(path)


def test_wrong_shapes_are_refused(tiny: TinyVit, tmp_path: Path) -> None:
    path, state = tmp_path / "model.pt", tiny.state_dict()
    checkpoint.save(state, path)
    with pytest.raises(DataError, match="102 outputs in place of 37"):
        checkpoint.load(path, 37)
    checkpoint.save(state | {"stages.0.blocks.0.conv1.conv.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(DataError, match="do not fit together"):
        checkpoint.load(path, 102)
    checkpoint.save(state | {"stranger": torch.zeros(1)}, path)
    with pytest.raises(DataError, match="stranger"):
        checkpoint.load(path, 102)
    checkpoint.save({"fc.weight": torch.zeros(102, 5)}, path)
    with pytest.raises(DataError, match="no TinyViT: it has no"):
        checkpoint.load(path, 102)


def test_a_clone_is_free_of_its_model(tiny: TinyVit) -> None:
    images = torch.rand(2, 3, 32, 32) - 0.5
    before = tiny(images)
    copy = checkpoint.clone(tiny)
    with torch.no_grad():
        for values in copy.parameters():
            values.zero_()
    assert torch.equal(tiny(images), before)
    state = torch.random.get_rng_state()
    checkpoint.clone(tiny)
    assert torch.equal(torch.random.get_rng_state(), state)
