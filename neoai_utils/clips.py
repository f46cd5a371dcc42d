"""Loaders for the CLIPs of tasks 6 and 7, from transformers or open_clip, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils.errors import AssetError, did_you_mean
from neoai_utils.pretrained import find, first_line

if TYPE_CHECKING:
    import torch
    from transformers import CLIPModel, PreTrainedTokenizerBase

__all__ = ["load", "load_open_clip"]


def load(
    name: str | Path, parameter: str, suggestions: Sequence[str] = ()
) -> tuple[CLIPModel, PreTrainedTokenizerBase]:  # fmt: skip
    """Return a CLIP of transformers in float32, whatever number format it was stored in, and its tokenizer.

    Args:
        name: a folder or a name on the hub, as `find` takes it.
        parameter: the notebook's parameter that names it, for messages.
        suggestions: names to compare a misspelt one with.

    Raises:
        AssetError: there is no such model, it is no CLIP, or its files are damaged.
    """
    import torch
    from transformers import AutoConfig, CLIPModel, CLIPTokenizer

    source = find(name, parameter, known=suggestions)
    try:
        kind = AutoConfig.from_pretrained(source).model_type
        if kind != "clip":
            raise ValueError(f"it is a model of the kind {kind}")
        model, report = CLIPModel.from_pretrained(source, dtype=torch.float32, output_loading_info=True)
        if report["missing_keys"]:
            raise ValueError(f"its weights lack {min(report['missing_keys'])}")
        tokenizer: PreTrainedTokenizerBase = CLIPTokenizer.from_pretrained(source)
    except (OSError, ValueError, RuntimeError) as error:
        raise AssetError(
            f"cannot load {source} as a CLIP: {first_line(error)}. Give a folder with config.json, model.safetensors "
            f"and the tokenizer's files in the parameter {parameter}."
        ) from error
    return model.eval(), tokenizer


def load_open_clip(name: str, parameter: str, device: torch.device | str = "cpu") -> tuple[Any, Any, Any]:
    """Return a model of open_clip, its preprocessing of pictures, and its tokenizer.

    The weights decide which GELU the network uses: OpenAI's were trained with another one than open_clip's default.

    Args:
        name: "<model>/<weights>" as in "ViT-B-16/openai"; the weights are a tag or a file, and random if none
            are given; or "hf-hub:<name>".
        parameter: the notebook's parameter that names it, for messages.
        device: device to run on.

    Raises:
        AssetError: open_clip is not installed, has no such model or weights, or cannot download them.
    """
    try:
        import open_clip
    except ImportError as error:
        raise AssetError(f"open_clip is needed for {name}: pip install open_clip_torch") from error
    architecture, weights = (name, "") if ":" in name.partition("/")[0] else name.partition("/")[::2]
    _check_spelling(open_clip, architecture, weights, parameter)
    quick = bool(open_clip.get_pretrained_cfg(architecture, weights).get("quick_gelu")) if weights else False
    try:
        model, _, prepare = open_clip.create_model_and_transforms(
            architecture, pretrained=weights or None, device=device, force_quick_gelu=quick
        )
        tokenizer = open_clip.get_tokenizer(architecture)
    except Exception as error:  # open_clip and the hub's client raise many kinds
        raise AssetError(
            f"cannot load open_clip's {name}: {first_line(error)}. Switch the internet on, or give a file of weights, "
            f"as in {architecture}/FILE, in the parameter {parameter}."
        ) from error
    return model.eval(), prepare, tokenizer


def _check_spelling(open_clip: Any, architecture: str, weights: str, parameter: str) -> None:
    if ":" in architecture:
        return
    if architecture not in open_clip.list_models():
        similar = did_you_mean(architecture, open_clip.list_models())
        raise AssetError(f"open_clip has no model {architecture}{similar}. Mind the parameter {parameter}.")
    if not weights or open_clip.get_pretrained_cfg(architecture, weights) or Path(weights).is_file():
        return
    similar = did_you_mean(weights, open_clip.list_pretrained_tags_by_model(architecture))
    raise AssetError(
        f"open_clip has no weights {weights} for {architecture}, and there is no such file{similar}. "
        f"Mind the parameter {parameter}."
    )
