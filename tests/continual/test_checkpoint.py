"""`model.pt`: both spellings are read, everything else is refused with its reason."""

from __future__ import annotations

import argparse
import re
import warnings
import zipfile
from pathlib import Path

import pytest
import timm
import torch
from timm.models.tiny_vit import TinyVit

from neoai_utils.continual import checkpoint
from neoai_utils.errors import DataError, DataWarning


def test_keys_with_and_without_prefix_give_the_same_network(tiny: TinyVit, tmp_path: Path) -> None:
    checkpoint.save(tiny.state_dict(), tmp_path / "prefixed.pt")
    assert all(name.startswith("model.") for name in torch.load(tmp_path / "prefixed.pt", weights_only=True))
    torch.save(tiny.state_dict(), tmp_path / "plain.pt")
    images = torch.rand(3, 3, 32, 32) - 0.5
    for path in tmp_path.iterdir():
        assert torch.equal(checkpoint.load(path, 102)(images), tiny(images))


def test_the_full_size_is_read_from_the_shapes(tmp_path: Path) -> None:
    full = timm.create_model("tiny_vit_5m_224", pretrained=False, num_classes=102, drop_path_rate=0.0).eval()
    checkpoint.save(full.state_dict(), tmp_path / "model.pt")
    model = checkpoint.load(tmp_path / "model.pt", 102)
    arguments = checkpoint.architecture_of(model.state_dict())
    assert arguments["embed_dims"] == (64, 128, 160, 320)
    assert arguments["depths"] == (2, 2, 6, 2)
    assert arguments["num_heads"][1:] == (4, 5, 10)
    assert arguments["window_sizes"] == (7, 7, 14, 7)
    image = torch.rand(1, 3, 224, 224) - 0.5
    with torch.inference_mode():
        torch.testing.assert_close(model(image), full(image))


class Trap:
    def __reduce__(self):
        return (print, ("code of the file ran",))


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    torch.save({"model.head": Trap()}, tmp_path / "model.pt")
    with pytest.raises(DataError, match="pickled objects are refused"):
        checkpoint.load(tmp_path / "model.pt", 102)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds no named tensors in place of a state dict. Where the file was made, write torch.save"),
        ({}, "holds no named tensors"),
        ({"epoch": 3}, "holds no named tensors"),
        ({"w": torch.tensor([1.0, float("nan")])}, "w holds NaN or infinity"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(DataError, match=re.escape(message)):
        checkpoint.load(tmp_path / "model.pt", 102)


def test_a_damaged_or_missing_file_is_refused(tiny: TinyVit, tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    with pytest.raises(DataError, match="does not exist"):
        checkpoint.load(path, 102)
    checkpoint.save(tiny.state_dict(), path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match="cannot be read as a state dict"):
        checkpoint.load(path, 102)


def test_wrong_shapes_are_refused(tiny: TinyVit, tmp_path: Path) -> None:
    path, state = tmp_path / "model.pt", tiny.state_dict()
    checkpoint.save(state, path)
    with pytest.raises(DataError, match="102 outputs in place of 37"):
        checkpoint.load(path, 37)
    checkpoint.save(state | {"stages.0.blocks.0.conv1.conv.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(DataError, match="do not fit together"):
        checkpoint.load(path, 102)
    checkpoint.save({name: values for name, values in state.items() if name != "head.fc.bias"}, path)
    with pytest.raises(DataError, match=r"lacks head\.fc\.bias, which this TinyViT needs"):
        checkpoint.load(path, 102)
    checkpoint.save({"fc.weight": torch.zeros(102, 5)}, path)
    with pytest.raises(DataError, match=r"no TinyViT: it has no 'patch_embed.*', but model\.fc\.weight"):
        checkpoint.load(path, 102)


def put_before(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: values for name, values in state.items()}


def shifted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: values + 1 for name, values in state.items()}


def same(model: TinyVit, state: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(values, state[name]) for name, values in model.state_dict().items())


PREFIXES = ("", "model.", "module.", "module.model.", "_orig_mod.", "model._orig_mod.", "net.", "student.module.")


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("wrapped", [False, True])
def test_what_wraps_a_network_is_taken_off(tiny: TinyVit, tmp_path: Path, prefix: str, wrapped: bool) -> None:
    state = put_before(prefix, tiny.state_dict())
    path = tmp_path / "model.pt"
    torch.save({"state_dict": state, "epoch": 3, "optimizer": {"state": {0: {"step": torch.ones(1)}}}}, path)
    if not wrapped:
        torch.save(state, path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert same(checkpoint.load(path, 102), tiny.state_dict())


def test_a_part_that_was_compiled_by_itself(tiny: TinyVit, tmp_path: Path) -> None:
    state = {name.replace("stages.1.", "stages.1._orig_mod."): values for name, values in tiny.state_dict().items()}
    torch.save(state, tmp_path / "model.pt")
    assert same(checkpoint.load(tmp_path / "model.pt", 102), tiny.state_dict())


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("names", [("model", "ema"), ("ema_model", "model"), ("teacher", "student")])
def test_a_network_goes_before_its_running_average(tiny: TinyVit, tmp_path: Path, nested: bool, names) -> None:
    states = [tiny.state_dict() if "ema" not in n and n != "teacher" else shifted(tiny.state_dict()) for n in names]
    content: dict = dict(zip(names, states, strict=True))
    if not nested:
        content = {k: v for name, state in content.items() for k, v in put_before(f"{name}.", state).items()}
    torch.save(content, tmp_path / "model.pt")
    with pytest.warns(DataWarning, match=r"model\.pt holds several networks"):
        assert same(checkpoint.load(tmp_path / "model.pt", 102), tiny.state_dict())


def test_further_keys_give_a_warning_and_are_left_out(tiny: TinyVit, tmp_path: Path) -> None:
    path, state = tmp_path / "model.pt", tiny.state_dict()
    strangers = {"stranger": torch.zeros(1), "another": torch.zeros(1)}
    checkpoint.save(state | strangers, path)
    with pytest.warns(DataWarning, match=r"model\.pt: no part of a TinyViT is called stranger and 1 more; left out"):
        assert same(checkpoint.load(path, 102), state)
    torch.save(put_before("model.", state) | {"criterion.weight": torch.zeros(1), "epoch": 4}, path)
    with pytest.warns(DataWarning, match=r"holds also criterion\.weight and 1 more; left out"):
        assert same(checkpoint.load(path, 102), state)


def test_files_of_other_formats(tiny: TinyVit, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path, state = tmp_path / "model.pt", tiny.state_dict()
    save_file(state, path)
    assert same(checkpoint.load(path, 102), state)
    torch.save({name: values.half() if values.is_floating_point() else values for name, values in state.items()}, path)
    assert checkpoint.load(path, 102).head.fc.weight.dtype == torch.float32
    torch.save(tiny, path)
    with pytest.raises(
        DataError, match=r"a pickled timm.*TinyVit, .*refused.*write torch\.save\(model\.state_dict\(\)"
    ):
        checkpoint.load(path, 102)
    save_file(state, tmp_path / "model.safetensors")
    with pytest.warns(DataWarning, match=r"model\.safetensors beside it is read"):
        assert same(checkpoint.load(path, 102), state)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "it is a Git LFS pointer"),
        (b"<!DOCTYPE html>", "it is a web page"),
        (b"\x1f\x8b\x08", "it is packed by gzip. Unpack it"),
    ],
)
def test_what_a_file_is_in_place_of_a_network(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(DataError, match=rf"model\.pt cannot be read as a state dict of plain tensors: {reason}"):
        checkpoint.load(tmp_path / "model.pt", 102)


def test_a_network_in_a_zip_archive(tiny: TinyVit, tmp_path: Path) -> None:
    checkpoint.save(tiny.state_dict(), tmp_path / "inner.pt")
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.write(tmp_path / "inner.pt", "inner.pt")
    with pytest.raises(DataError, match=r"it is a ZIP archive that holds inner\.pt\. Unpack it"):
        checkpoint.load(tmp_path / "model.pt", 102)


def test_torchs_advice_to_trust_the_file_is_not_passed_on(tmp_path: Path) -> None:
    for content in (Trap(), {"model.head": Trap()}, argparse.Namespace(rate=1)):
        torch.save(content, tmp_path / "model.pt")
        with pytest.raises(DataError) as caught:
            checkpoint.load(tmp_path / "model.pt", 102)
        assert "weights_only" not in str(caught.value)


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
