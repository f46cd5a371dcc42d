"""State dicts of torch.save and safetensors files, read as plain tensors; no code of a file is executed.

Wrappers of a network put their names before its keys (`module.` of DataParallel, `_orig_mod.` of torch.compile, the
attribute's name in a Lightning module). Training programs nest the weights beside other values (`state_dict`, `model`,
`ema`). This module finds the weights, and the prefix of their keys, by one key that every network of the kind has.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError  # the error alone; nothing is unpickled # nosec B403
from typing import TYPE_CHECKING

from neoai_utils.errors import DataError, first_of, warn
from neoai_utils.signatures import PICKLE, TORCH, identify, is_safetensors

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["read", "require_whole"]

# wrappers of single layers; their names also occur within keys
_INSIDE = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_AVERAGES = re.compile(r"(?:^|[._])(?:ema|swa|average[ds]?|teacher|momentum|target)(?:[._]|$)")
_DEPTH = 4
_REMEDY = "Where the file was made, write torch.save(model.state_dict(), {name!r})"


def read(path: Path, sign: str) -> dict[str, Tensor]:
    """Return the state dict of a network, floating-point tensors as float32, keys without the names of wrappers.

    Args:
        path: a file of torch.save or safetensors.
        sign: a key that every such network has. If no key ends in it, the outermost tensors are returned.

    Raises:
        DataError: the file is missing or damaged, contains pickled objects (reading them would execute code), contains
            no tensors, or a tensor contains NaN or infinity.
    """
    import torch

    networks = list(_networks(_content(path), sign))
    if not networks:
        raise DataError(f"{path} holds no named tensors in place of a state dict. {_REMEDY.format(name=path.name)}.")
    with_sign = [network for network in networks if sign in network[1]]
    # a network comes before its running average; a stable sort keeps the file's order otherwise
    prefix, state, others = sorted(with_sign or networks, key=lambda network: bool(_AVERAGES.search(network[0])))[0]
    if len(with_sign) > 1:
        prefixes = ", ".join(repr(name) for name, *_ in with_sign)
        warn(f"{path} holds several networks, their keys begin with {prefixes}; the one of {prefix!r} is read.")
    elif others:
        warn(f"{path} holds also {first_of(others)}; left out.")
    for name, values in state.items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise DataError(f"{path}: {name} holds NaN or infinity. Copy the file again.")
    return {name: values.float() if values.is_floating_point() else values for name, values in state.items()}


def require_whole(report: Mapping[str, Collection[str]], source: Path | str) -> None:
    """Check that transformers found all weights of a model; it initialises missing weights at random.

    Args:
        report: the loading info of `from_pretrained(..., output_loading_info=True)`.
        source: the model's folder or name, for the message.

    Raises:
        DataError: weights are missing; the message names the first, and the first unexpected weight.
    """
    if missing := sorted(report["missing_keys"]):
        others = sorted(report["unexpected_keys"])
        unexpected = f" but holds {first_of(others)}, which no part is called" if others else ""
        raise DataError(
            f"{source} lacks the weights {first_of(missing)}{unexpected}. Save the network without what wraps it "
            "(model.module, model._orig_mod), with save_pretrained."
        )


def _content(path: Path) -> object:
    """Return the content of a file, tensors on the CPU."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if is_safetensors(path):
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Copy the competition's files again.") from None
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, SafetensorError) as error:
        pickled = re.search(r"GLOBAL (\S+)", str(error))
        beside = path.with_suffix(".safetensors")
        if pickled and beside.is_file() and beside != path:
            warn(f"{path} holds a pickled {pickled[1]}, which is not read; {beside.name} beside it is read.")
            return _content(beside)
        raise DataError(
            f"{path} cannot be read as a state dict of plain tensors: {_reason(path, error, pickled and pickled[1])}."
        ) from error


def _reason(path: Path, error: Exception, pickled: str | None) -> str:
    """Return why a file cannot be read, and the remedy. Torch's advice to trust the file is left out."""
    remedy = _REMEDY.format(name=path.name)
    if pickled:
        return f"it holds a pickled {pickled}, and pickled objects are refused, as reading them runs code. {remedy}"
    if other := identify(path, (PICKLE, TORCH)):
        return other
    first = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0].removesuffix(".")
    return f"{first}. Copy it again. {remedy}"


def _networks(
    content: object, sign: str, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Tensor], list[str]]]:
    """Yield the networks in nested dictionaries: prefix of the keys, state dict, keys of the other values beside it.

    A dictionary in which no key ends in the sign counts as one network without prefix.
    """
    from torch import Tensor

    if not isinstance(content, Mapping) or depth > _DEPTH:
        return
    flat = {_INSIDE.sub("", str(key)): value for key, value in content.items() if not isinstance(value, Mapping)}
    tensors = {key: value for key, value in flat.items() if isinstance(value, Tensor)}
    for start in [k.removesuffix(sign) for k in tensors if k == sign or k.endswith("." + sign)] or [""] * bool(tensors):
        state = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
        yield prefix + start, state, [key for key in flat if key not in tensors or not key.startswith(start)]
    for key, value in content.items():
        yield from _networks(value, sign, f"{prefix}{key}.", depth + 1)
