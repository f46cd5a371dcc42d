"""State dicts from files as people save them: wrappers, nesting, other formats, damage."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from neoai_utils import state_dicts
from neoai_utils.errors import DataError, DataWarning

SIGN = "head.weight"
STATE = {"body.weight": torch.arange(6.0).view(2, 3), "head.weight": torch.ones(2), "steps": torch.tensor(3)}
WRAPPERS = st.lists(st.sampled_from(["module.", "_orig_mod.", "model.", "network."]), max_size=3).map("".join)


def same(state: dict[str, torch.Tensor]) -> bool:
    return state.keys() == STATE.keys() and all(torch.equal(values, STATE[name]) for name, values in state.items())


@given(prefix=WRAPPERS, nesting=st.lists(st.sampled_from(["state_dict", "weights", "net"]), max_size=2))
def test_the_names_of_wrappers_and_nested_dictionaries_are_removed(
    tmp_path_factory: pytest.TempPathFactory, prefix: str, nesting: list[str]
) -> None:
    content: object = {prefix + name: values for name, values in STATE.items()}
    for name in nesting:
        content = {name: content}
    path = tmp_path_factory.mktemp("wrapped") / "model.pt"
    torch.save(content, path)
    assert same(state_dicts.read(path, SIGN))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_numbers_become_float32_and_integers_stay(tmp_path: Path, dtype: torch.dtype) -> None:
    torch.save({name: v.to(dtype) if v.is_floating_point() else v for name, v in STATE.items()}, tmp_path / "m.pt")
    state = state_dicts.read(tmp_path / "m.pt", SIGN)
    assert {name: values.dtype for name, values in state.items()} == {
        "body.weight": torch.float32, "head.weight": torch.float32, "steps": torch.int64,
    }  # fmt: skip


def test_safetensors_are_read_under_any_name(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.pt")
    assert same(state_dicts.read(tmp_path / "model.pt", SIGN))


def test_of_a_network_and_its_running_average_the_network_is_read(tmp_path: Path) -> None:
    average = {name: values + 1 for name, values in STATE.items()}
    torch.save({"ema": average, "model": STATE}, tmp_path / "model.pt")
    with pytest.warns(DataWarning, match=r"several networks, their keys begin with .*the one of 'model\.' is read"):
        assert same(state_dicts.read(tmp_path / "model.pt", SIGN))


def test_other_tensors_are_named_and_left_out(tmp_path: Path) -> None:
    wrapped = {f"model.{name}": values for name, values in STATE.items()}
    torch.save({**wrapped, "loss.weight": torch.ones(1)}, tmp_path / "model.pt")
    with pytest.warns(DataWarning, match=r"holds also loss\.weight; left out"):
        assert same(state_dicts.read(tmp_path / "model.pt", SIGN))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: float) -> None:
    torch.save(STATE | {"head.weight": torch.tensor([1.0, number])}, tmp_path / "model.pt")
    with pytest.raises(DataError, match=r"head\.weight holds NaN or infinity"):
        state_dicts.read(tmp_path / "model.pt", SIGN)


class Trap:
    """Pickled, it would make a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (open, (str(self.path), "w"))


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Trap(tmp_path / "made")))
    torch.save({"model": Trap(tmp_path / "made")}, tmp_path / "other.pt")
    for name in ("model.pt", "other.pt"):
        with pytest.raises(DataError, match=name):
            state_dicts.read(tmp_path / name, SIGN)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_half_a_file_is_named_with_a_remedy(tmp_path: Path, share: float) -> None:
    torch.save(STATE, tmp_path / "whole.pt")
    content = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "model.pt").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"model\.pt cannot be read as a state dict .*[Cc]opy"):
        state_dicts.read(tmp_path / "model.pt", SIGN)


def test_a_missing_file_and_one_without_tensors_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"model\.pt does not exist"):
        state_dicts.read(tmp_path / "model.pt", SIGN)
    torch.save([1, 2], tmp_path / "model.pt")
    with pytest.raises(DataError, match=r"holds no named tensors"):
        state_dicts.read(tmp_path / "model.pt", SIGN)


def test_a_model_that_lacks_weights_is_refused() -> None:
    state_dicts.require_whole({"missing_keys": [], "unexpected_keys": ["x"]}, "folder")
    with pytest.raises(DataError, match=r"folder lacks the weights a and 1 more but holds x, which"):
        state_dicts.require_whole({"missing_keys": ["b", "a"], "unexpected_keys": ["x"]}, "folder")
