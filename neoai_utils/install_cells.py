"""The source of a cell that installs what a notebook needs and its host lacks, and moves nothing that is there.

Uploads (`neoai_utils.kaggle`) carry such a cell for packages; a raw notebook may carry one for the library, too. The
cell runs where the library is missing, so it uses the standard library and pip alone. Where nothing is missing, nothing
is printed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["INTERNET", "install_cell"]

INTERNET = "turn on Internet for this notebook (on Kaggle: Settings → Internet), then run it again"

_BEFORE = """\
import importlib.util
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
"""
_AFTER = '''\


def pip(*words):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def install(*words):
    """Install, held to the versions of all that is installed."""
    with TemporaryDirectory() as folder:
        held = Path(folder, "held.txt")
        held.write_text(pip("list", "--format=freeze"), encoding="utf-8")
        pip("install", "--quiet", "--constraint", str(held), *words)
    importlib.invalidate_caches()


for name, words in {**needed, **spare}.items():
    if importlib.util.find_spec(name) is None:
        try:
            install(*words)
        except subprocess.CalledProcessError as error:
            reason = (error.stderr.strip() or str(error)).splitlines()[-1]
            told = f"{words[-1]} could not be installed ({reason})"
            if name in needed:
                raise RuntimeError(f"{told}: {remedy}.") from None
            print(f"{told}; what needs it is left out.")'''


def install_cell(
    needed: Mapping[str, str],
    spare: Mapping[str, str] | None = None,
    *,
    conditions: Mapping[str, str] | None = None,
    library: str = "",
    remedy: str = INTERNET,
) -> str:
    """Return the source of the cell.

    Args:
        needed: import names and requirements; where pip fails for one that is missing, the cell stops the notebook.
        spare: the same for packages without which the notebook goes on, with a line that says so.
        conditions: import names of `needed` and expressions of the notebook's parameters; where one is false, the
            package is not needed. Such a cell stands below the parameters.
        library: requirement of the library itself, installed first and without what it requires; empty: none.
        remedy: what a user does when pip fails, the end of a sentence.
    """
    wanted = {"neoai_utils": ["--no-deps", library]} if library else {}
    wanted |= {name: [requirement] for name, requirement in needed.items()}
    others = {name: [requirement] for name, requirement in (spare or {}).items()}
    lines = [
        "# What this notebook needs and the host does not have; no installed package is moved.",
        _BEFORE,
        f"needed = {json.dumps(wanted)}",
        f"spare = {json.dumps(others)}",
        f"remedy = {json.dumps(remedy, ensure_ascii=False)}",
        *(f"if not {test}:\n    del needed[{json.dumps(name)}]" for name, test in (conditions or {}).items()),
    ]
    return "\n".join([*lines, _AFTER])
