"""State dicts out of the files that people save, read as plain tensors: no code of a file is ever run.

What wraps a network leaves its name before the keys (`module.` of DataParallel, `_orig_mod.` of torch.compile, the
attribute's name in a Lightning module), and what trains it puts the weights beside other things (`state_dict`,
`model`, `ema`). Both are taken off by looking for one key that every such network has.
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

# wrappers inside a network, which stand in the middle of keys as well
_INSIDE = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_AVERAGES = re.compile(r"(?:^|[._])(?:ema|swa|average[ds]?|teacher|momentum|target)(?:[._]|$)")
_DEPTH = 4
_REMEDY = "Where the file was made, write torch.save(model.state_dict(), {name!r})"


def read(path: Path, sign: str) -> dict[str, Tensor]:
    """Return the state dict of a network, floating-point tensors in float32, without the names of wrappers.

    Args:
        path: a file of torch.save or safetensors.
        sign: a key that every such network has. Where none is found, the outermost tensors are returned as they are.

    Raises:
        DataError: the file is missing or damaged, holds pickled objects (reading them would run code) or no tensors,
            or holds NaN or infinity.
    """
    import torch

    found = list(_networks(_content(path), sign))
    if not found:
        raise DataError(f"{path} holds no named tensors in place of a state dict. {_REMEDY.format(name=path.name)}.")
    with_sign = [one for one in found if sign in one[1]]
    # of a network and its running average, the network itself; sorting keeps the file's order
    place, state, others = sorted(with_sign or found, key=lambda one: bool(_AVERAGES.search(one[0])))[0]
    if len(with_sign) > 1:
        names = ", ".join(repr(name) for name, *_ in with_sign)
        warn(f"{path} holds several networks, their keys begin with {names}; the one of {place!r} is read.")
    elif others:
        warn(f"{path} holds also {first_of(others)}; left out.")
    for name, values in state.items():
        if values.is_floating_point() and not bool(torch.isfinite(values).all()):
            raise DataError(f"{path}: {name} holds NaN or infinity. Copy the file again.")
    return {name: values.float() if values.is_floating_point() else values for name, values in state.items()}


def require_whole(report: Mapping[str, Collection[str]], source: Path | str) -> None:
    """Check what transformers tells of a model that it has loaded: what it did not find is random.

    Args:
        report: from `from_pretrained(..., output_loading_info=True)`.
        source: the model's folder or name, for the message.

    Raises:
        DataError: weights are missing; names the first and what is there in their place.
    """
    if missing := sorted(report["missing_keys"]):
        others = sorted(report["unexpected_keys"])
        held = f" but holds {first_of(others)}, which no part is called" if others else ""
        raise DataError(
            f"{source} lacks the weights {first_of(missing)}{held}. Save the network without what wraps it "
            "(model.module, model._orig_mod), with save_pretrained."
        )


def _content(path: Path) -> object:
    """Return what a file holds, tensors on the CPU."""
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
    """Return why a file cannot be read, and the remedy, without torch's advice to trust the file."""
    remedy = _REMEDY.format(name=path.name)
    if pickled:
        return f"it holds a pickled {pickled}, and pickled objects are refused, as reading them runs code. {remedy}"
    if other := identify(path, (PICKLE, TORCH)):
        return other
    first = (str(error) or type(error).__name__).splitlines()[0].split(". ")[0].removesuffix(".")
    return f"{first}. Copy it again. {remedy}"


def _networks(
    content: object, sign: str, place: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[str, Tensor], list[str]]]:
    """Yield the networks in nested dicts: prefix, state dict, and what else lies beside it.

    A dict in which no key ends in the sign counts as one network without prefix.
    """
    from torch import Tensor

    if not isinstance(content, Mapping) or depth > _DEPTH:
        return
    flat = {_INSIDE.sub("", str(key)): value for key, value in content.items() if not isinstance(value, Mapping)}
    tensors = {key: value for key, value in flat.items() if isinstance(value, Tensor)}
    for start in [k.removesuffix(sign) for k in tensors if k == sign or k.endswith("." + sign)] or [""] * bool(tensors):
        state = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
        yield place + start, state, [key for key in flat if key not in tensors or not key.startswith(start)]
    for key, value in content.items():
        yield from _networks(value, sign, f"{place}{key}.", depth + 1)
