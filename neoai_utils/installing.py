"""Installs packages that a notebook needs and its host lacks, and moves nothing that is there.

The images of Kaggle and Colab hold packages in versions that fit each other, far more than a notebook uses. So pip is
held to the versions of all that is installed: what does not fit them is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess  # for pip alone # nosec B404
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from neoai_utils.errors import NeoaiError

__all__ = ["install", "provide"]

_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def provide(needed: Mapping[str, str], spare: Mapping[str, str] | None = None) -> None:
    """Install what cannot be imported; where all can, do nothing and say nothing.

    Args:
        needed: import names and requirements of the packages that a notebook cannot do without.
        spare: the same for those that it can: where pip fails for one, a line says so.

    Raises:
        NeoaiError: pip failed for a package that is needed.
    """
    for name, requirement in {**needed, **(spare or {})}.items():
        if importlib.util.find_spec(name) is not None:
            continue
        try:
            install(requirement)
        except NeoaiError as error:
            if name in needed:
                raise NeoaiError(
                    f"{error}: turn on Internet for this notebook (on Kaggle: Settings → Internet), then run it again."
                ) from None
            print(f"{error}; what needs it is left out.")


def install(*requirements: str) -> None:
    """Install packages without moving one that is there.

    Raises:
        NeoaiError: pip failed; says what it said last.
    """
    try:
        with TemporaryDirectory() as folder:
            held = Path(folder, "held.txt")
            held.write_text(_pip("list", "--format=freeze"), encoding="utf-8")
            _pip("install", "--quiet", "--constraint", str(held), *requirements)
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip() or str(error)).splitlines()[-1]
        raise NeoaiError(f"{', '.join(requirements)} could not be installed (pip says: {said})") from error
    importlib.invalidate_caches()


def _pip(*words: str) -> str:
    """Run pip and return what it prints."""
    return subprocess.run([*_PIP, *words], check=True, capture_output=True, text=True).stdout  # noqa: S603 # nosec B603
