"""The competition's `model.pt`: a state dict of a TinyViT (Wu et al. 2022, 2207.10666), checked when it is read.

The published network wraps timm's `tiny_vit_5m_224` in a class that calls it `model`, so keys may begin with `model.`;
prefixes of other wrappers are removed as well. The sizes of the network are read from the tensors' shapes, so one
loader serves the competition's file and the miniature's smaller one.
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

__all__ = ["architecture_of", "clone", "load", "save"]

_PREFIX = "model."
_FIRST_WEIGHT = "patch_embed.conv2.conv.weight"


def architecture_of(state: dict[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of timm's `TinyVit` that fit a state dict.

    Raises:
        DataError: a tensor that every TinyViT has is missing, named in the message.
    """
    try:
        widths = [state[_FIRST_WEIGHT].shape[0]]
        depths, heads, windows = [_block_count(state, 0)], [1], [7]
        for stage in (1, 2, 3):
            widths.append(state[f"stages.{stage}.downsample.conv3.conv.weight"].shape[0])
            depths.append(_block_count(state, stage))
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


def load(path: Path, classes: int) -> TinyVit:
    """Return the network of a state-dict file, in evaluation mode; warn of keys that no TinyViT has.

    Nothing in the file is executed; see `state_dicts.read`.

    Args:
        path: the file.
        classes: the number of outputs that the network must have.

    Raises:
        DataError: the file is missing or damaged, holds pickled objects or no tensors, or holds NaN or infinity; or
            the tensors do not fit a TinyViT with that many outputs.
    """
    state = state_dicts.read(path, _FIRST_WEIGHT)
    try:
        arguments = architecture_of(state)
        if arguments["num_classes"] != classes:
            raise DataError(f"its head has {arguments['num_classes']} outputs in place of {classes}.")
        model = _untrained(arguments)
        missing, unexpected = model.load_state_dict(state, strict=False)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    except (RuntimeError, ValueError, ZeroDivisionError, AssertionError) as error:
        text = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: the tensors do not fit together as a TinyViT: {text}") from error
    if missing:
        raise DataError(f"{path} lacks {first_of(missing)}, which this TinyViT needs. Save the whole state_dict().")
    if unexpected:
        warn(f"{path}: no part of a TinyViT is called {first_of(unexpected)}; left out.")
    return model.eval()


def clone(model: TinyVit, state: dict[str, Tensor] | None = None) -> TinyVit:
    """Return a copy of a network in evaluation mode, with the weights of `state` if given.

    (`copy.deepcopy` would also copy timm's cache of attention biases, which is not updated when weights change.)
    """
    current = model.state_dict()
    device = next(model.parameters()).device
    weights = {name: values.detach().cpu().clone() for name, values in (state or current).items()}
    copy = _untrained(architecture_of(current))
    copy.load_state_dict(weights)
    return copy.eval().to(device)


def save(state: dict[str, Tensor], path: Path) -> None:
    """Write a state dict as the competition gives it, keys with the prefix `model.`.

    The same state gives the same bytes. (`torch.save` to a path would write the name of the temporary file.)

    Raises:
        NeoaiError: the folder is not writable; no partial file is left.
    """
    prefixed = {_PREFIX + name: values.detach().cpu() for name, values in state.items()}
    buffer = io.BytesIO()
    torch.save(prefixed, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _block_count(state: dict[str, Tensor], stage: int) -> int:
    matches = (re.match(rf"stages\.{stage}\.blocks\.(\d+)\.", name) for name in state)
    return max((int(match[1]) for match in matches if match), default=-1) + 1


def _untrained(arguments: dict[str, Any]) -> TinyVit:
    from timm.models.tiny_vit import TinyVit

    # the random weights are overwritten, and making them must not change later random numbers
    with torch.random.fork_rng(devices=[]):
        return TinyVit(**arguments)
