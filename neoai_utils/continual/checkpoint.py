"""The competition's `model.pt`: a state dict of a TinyViT, checked before it is believed (Wu et al. 2022, 2207.10666).

The published network wraps timm's `tiny_vit_5m_224` in a class that calls it `model`, so keys may begin with `model.`;
other wrappers' names are taken off as well. The sizes of the network are read from the tensors' shapes. Thus one loader
serves the competition's file and the miniature's smaller one.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neoai_utils import state_dicts
from neoai_utils.errors import DataError, first_of, warn
from neoai_utils.storage import atomic_path

if TYPE_CHECKING:
    from timm.models.tiny_vit import TinyVit

__all__ = ["architecture_of", "clone", "load", "read_state", "save", "tiny_vit_5m"]

_PREFIX = "model."
_SIGN = "patch_embed.conv2.conv.weight"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a TinyViT's state dict without executing anything; see `state_dicts.read` for what is taken off.

    Raises:
        DataError: the file is missing or damaged, holds pickled objects or no tensors, or holds NaN or infinity.
    """
    return state_dicts.read(path, _SIGN)


def architecture_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of timm's `TinyVit` that fit a state dict.

    Raises:
        DataError: a tensor that every TinyViT has is missing, named in the message.
    """
    try:
        widths = [state[_SIGN].shape[0]]
        depths, heads, windows = [_blocks(state, 0)], [1], [7]
        for stage in (1, 2, 3):
            widths.append(state[f"stages.{stage}.downsample.conv3.conv.weight"].shape[0])
            depths.append(_blocks(state, stage))
            biases = state[f"stages.{stage}.blocks.0.attn.attention_biases"]
            heads.append(biases.shape[0])
            windows.append(round(biases.shape[1] ** 0.5))
        classes = state["head.fc.weight"].shape[0]
    except KeyError as error:
        there = ", ".join(list(state)[:3])
        raise DataError(
            f"the state dict is no TinyViT: it has no {error}, but {there} … The competition's model.pt has."
        ) from error
    return {
        "num_classes": classes, "embed_dims": tuple(widths), "depths": tuple(depths), "num_heads": tuple(heads),
        "window_sizes": tuple(windows), "drop_path_rate": 0.0,
    }  # fmt: skip


def _blocks(state: dict[str, Tensor], stage: int) -> int:
    found = (re.match(rf"stages\.{stage}\.blocks\.(\d+)\.", name) for name in state)
    return max((int(match[1]) for match in found if match), default=-1) + 1


def load(path: Path, classes: int) -> TinyVit:
    """Return the network of a state-dict file, in evaluation mode; warn of keys that it does not have.

    Args:
        path: the file.
        classes: the outputs that it must have.

    Raises:
        DataError: see `read_state`; or the tensors do not fit a TinyViT with that many outputs.
    """
    state = read_state(path)
    try:
        arguments = architecture_of(state)
        if arguments["num_classes"] != classes:
            raise DataError(f"its head has {arguments['num_classes']} outputs in place of {classes}.")
        model = _untrained(arguments)
        missing, strangers = model.load_state_dict(state, strict=False)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (RuntimeError, ValueError, ZeroDivisionError, AssertionError) as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: the tensors do not fit together as a TinyViT: {text}") from error
    if missing:
        raise DataError(f"{path} lacks {first_of(missing)}, which this TinyViT needs. Save the whole state_dict().")
    if strangers:
        warn(f"{path}: no part of a TinyViT is called {first_of(strangers)}; left out.")
    return model.eval()


def _untrained(arguments: dict[str, Any]) -> TinyVit:
    from timm.models.tiny_vit import TinyVit

    with torch.random.fork_rng(devices=[]):  # the random start is overwritten and must not shift later random numbers
        return TinyVit(**arguments)


def clone(model: TinyVit, state: dict[str, Tensor] | None = None) -> TinyVit:
    """Return a network of the same sizes in evaluation mode, with `state` in place of its weights if given.

    (`copy.deepcopy` would also copy timm's cache of attention biases, which goes stale when weights change.)
    """
    own = model.state_dict()
    device = next(model.parameters()).device
    weights = {name: values.detach().cpu().clone() for name, values in (state or own).items()}
    copy = _untrained(architecture_of(own))
    copy.load_state_dict(weights)
    return copy.eval().to(device)


def save(state: dict[str, Tensor], path: Path, *, prefix: bool = True) -> None:
    """Write a state dict as the competition gives it, keys with or without the `model.` prefix.

    The same state gives the same bytes; torch alone would put the name of the temporary file into them.
    """
    named = {(_PREFIX if prefix else "") + name: values.detach().cpu() for name, values in state.items()}
    buffer = io.BytesIO()
    torch.save(named, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def tiny_vit_5m(classes: int) -> TinyVit:
    """Return timm's `tiny_vit_5m_224` with random weights: the competition's network at its full size."""
    import timm

    model: TinyVit = timm.create_model("tiny_vit_5m_224", pretrained=False, num_classes=classes, drop_path_rate=0.0)
    return model.eval()
