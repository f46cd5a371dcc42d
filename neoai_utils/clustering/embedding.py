"""One vector for each grey picture, from a network pre-trained on ImageNet.

The competition's notebook offers `tiny_vit_5m_224.dist_in22k_ft_in1k` of timm (Wu et al. 2022, arXiv:2207.10666), whose
weights are on the hub. It needs pictures of 224 pixels. EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946) comes out
of a package and is fast enough for a laptop; being a convolutional network it takes pictures of any size, and 128
pixels cost a third of 224. DINOv2-small (Oquab et al. 2023, arXiv:2304.07193), also out of a package, learnt without
labels, so that it makes other errors than the two classifiers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from pickle import UnpicklingError  # the error alone; nothing is unpickled # nosec B403
from typing import TYPE_CHECKING, Any

import numpy as np

from neoai_utils import pretrained
from neoai_utils.arrays import Float32
from neoai_utils.errors import AssetError
from neoai_utils.number_formats import in_fast_format
from neoai_utils.runtime import progress

if TYPE_CHECKING:
    import torch
    from torch.nn import Module

__all__ = ["Network", "embed", "load_network", "open_network"]

_COMPETITION = "tiny_vit_5m_224.dist_in22k_ft_in1k"
_DINO, _DINO_SIDE, _DINO_BLOCKS = "dinov2-small", 112, 10  # pixels: eight patches; the last two blocks know saliency
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Network:
    """A network and the input that it expects.

    Attributes:
        module: returns feature maps (n, channels, h, w) from `forward_features`, or pooled features (n, channels) when
            called, if `pooled`.
        mean: of the pixels (0..1), for each of the three colours.
        std: standard deviation of the pixels, likewise.
        side: pixels of a side of the input; None: as many as the picture has.
        pooled: whether calling the module returns one vector for each picture.
    """

    module: Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    side: int | None = None
    pooled: bool = False


def open_network(name: str, device: torch.device | None = None, *, competition: bool = False) -> Network:
    """Return a network by its name; without a name, the one that the data ask for.

    For the competition's files that is TinyViT, the network of the competition's notebook. Where its weights are out of
    reach, one line says so and EfficientNet-Lite0 takes its place, as it does in the miniature.

    Args:
        name: as `load_network` takes it.
        device: computes.
        competition: whether the files are the competition's.

    Raises:
        AssetError: the named network, or EfficientNet-Lite0, is out of reach.
    """
    if name or not competition:
        return load_network(name, device)
    try:
        return load_network(_COMPETITION, device)
    except AssetError as error:
        print(f"EfficientNet-Lite0 takes the place of TinyViT: {error}")
        return load_network("", device)


def load_network(name: str = "", device: torch.device | None = None) -> Network:
    """Return EfficientNet-Lite0 (empty name), DINOv2-small, or a pre-trained network of timm.

    Args:
        name: "dinov2-small"; or timm's name, of a model that is attached on Kaggle or on the hub; or a folder with the
            `config.json` and the weights that the hub has of a network of timm.
        device: computes.

    Raises:
        AssetError: the weights are out of reach or damaged, or timm knows no such network.
    """
    if not name:
        from neoai_utils.offline import load_efficientnet_lite0

        half = (0.5, 0.5, 0.5)
        return Network(_prepared(load_efficientnet_lite0(), device), half, half)
    if name == _DINO:
        return Network(_prepared(_patches(), device), *_IMAGENET, side=_DINO_SIDE, pooled=True)
    from timm.data import resolve_data_config

    module = _of_timm(name)
    config = resolve_data_config(model=module)
    return Network(_prepared(module, device), config["mean"], config["std"], config["input_size"][-1], pooled=True)


def _of_timm(name: str) -> Module:
    """Return a pre-trained network without its classifier."""
    import timm
    from safetensors import SafetensorError

    problem = f"the network {name!r} cannot be loaded: "
    remedy = ". Give the name of a network of timm or the folder of its weights in the parameter network."
    found = name
    overlay: dict[str, Any] = {}
    try:
        if Path(name).expanduser().exists() or timm.is_model(name.partition(".")[0]):
            source = pretrained.find(_source(name), "network")
            if Path(source).is_dir():
                found, overlay = _from_folder(Path(source))
        module: Module = timm.create_model(found, pretrained=True, num_classes=0, pretrained_cfg_overlay=overlay)
    except AssetError:
        raise
    except (RuntimeError, OSError, ValueError, KeyError, TypeError, SafetensorError, UnpicklingError) as error:
        raise AssetError(problem + pretrained.first_line(error) + remedy) from error
    return module


def _patches() -> Module:
    """Return DINOv2-small without its last blocks, as a module that returns the mean of the patches' states."""
    import torch

    from neoai_utils.offline import load_dinov2_small

    class Patches(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = load_dinov2_small()

        def forward(self, colours: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.model(colours, output_hidden_states=True).hidden_states[_DINO_BLOCKS]
            return states[:, 1:].mean(dim=1)

    return Patches()


def _source(name: str) -> str:
    """Return a folder as it is, and a name of timm as the hub has it: timm/architecture.tag."""
    import timm

    if Path(name).expanduser().exists():
        return name
    config = timm.get_pretrained_cfg(name)
    return f"timm/{config.architecture}.{config.tag}"


def _from_folder(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return timm's name of the network in a folder, and what replaces timm's own settings of it."""
    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = next((folder / name for name in _WEIGHTS if (folder / name).is_file()), None)
    if weights is None:
        raise AssetError(f"{folder} holds none of {', '.join(_WEIGHTS)}. Copy the network's files again.")
    settings = content.get("pretrained_cfg", content)
    overlay = {key: tuple(settings[key]) for key in ("input_size", "mean", "std") if key in settings}
    return str(content["architecture"]), {**overlay, "file": str(weights)}


def embed(network: Network, batches: Iterable[Float32]) -> Float32:
    """Return one vector for each picture, (n, channels) float32.

    Only a few batches are in memory at a time, one for each processor.

    Args:
        network: its device computes.
        batches: of grey pictures (b, height, width) float32 in 0..1. Other ranges are used as they are: the published
            solution passed 0..255.

    Raises:
        NotANumberError: the network's output is NaN.
    """
    import torch
    from joblib import Parallel, cpu_count, delayed

    # One thread for each batch: the operations on a batch are too small to share, and threads that synchronise at
    # every one of them are slow on a busy machine.
    threads = torch.get_num_threads()
    on_gpu = next(network.module.parameters()).is_cuda
    parallel = Parallel(n_jobs=1 if on_gpu else cpu_count(), prefer="threads", return_as="generator")
    try:
        torch.set_num_threads(1)
        vectors = parallel(delayed(_embed)(network, batch) for batch in batches)
        return np.concatenate(list(progress(vectors, "embedding")))
    finally:
        torch.set_num_threads(threads)


def _prepared(module: Module, device: torch.device | None) -> Module:
    import torch

    return module.eval().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _embed(network: Network, pictures: Float32) -> Float32:
    import torch

    torch.set_num_threads(1)  # a setting of the thread that calls it
    device = next(network.module.parameters()).device
    vectors = in_fast_format(partial(_forward, network, pictures, device), device, "the vectors of the pictures")
    found: Float32 = vectors.cpu().numpy()
    return found


def _forward(network: Network, pictures: Float32, device: torch.device) -> torch.Tensor:
    import torch
    from torch.nn import functional

    grey = torch.from_numpy(pictures)[:, None].to(device)
    if network.side is not None:
        size = (network.side, network.side)
        grey = functional.interpolate(grey, size=size, mode="bicubic", align_corners=False)
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (network.mean, network.std))
    colours = ((grey - mean) / std).contiguous(memory_format=torch.channels_last)
    features: torch.Tensor = network.module(colours) if network.pooled else _pooled(network.module, colours)
    return features


def _pooled(module: Module, colours: torch.Tensor) -> torch.Tensor:
    maps: torch.Tensor = module.forward_features(colours)  # type: ignore[operator]
    return maps.mean(dim=(2, 3))
