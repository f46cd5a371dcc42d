"""neoai: the library behind eight notebooks that solve the tasks of the NEOAI 2025 olympiad.

Each task has a folder named for its technique; the modules beside this file are shared by all of them.
Names are loaded when they are first used, so that `import neoai_utils` costs what bare Python costs.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

HOME = {
    "COMPETITIONS": "competitions",
    "Ladder": "scores",
    "check": "parameters",
    "open_workspace": "workspace",
    "pick_device": "runtime",
    "seed_everything": "runtime",
}

__all__ = [
    "COMPETITIONS",
    "Ladder",
    "__version__",
    "check",
    "open_workspace",
    "pick_device",
    "seed_everything",
]


def __getattr__(name: str) -> Any:
    """Load a public name or a module of this package on first use (PEP 562)."""
    if name in HOME:
        return getattr(importlib.import_module(f"neoai_utils.{HOME[name]}"), name)
    try:
        return importlib.import_module(f"neoai_utils.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"neoai_utils.{name}":
            raise
        raise AttributeError(f"neoai_utils has no {name!r}") from None


def __dir__() -> list[str]:
    """List the public names."""
    return sorted(__all__)
