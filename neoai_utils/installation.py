"""Completes a library that was installed without its dependencies, and moves no package that is there.

A notebook that was opened from a badge runs `python -m neoai_utils.installation "lightgbm torch"` after
`pip install --no-deps`. The hosts' images hold almost everything, in versions that fit each other; a plain
`pip install` of the library would move some of them.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess  # for pip alone # nosec B404
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from neoai_utils.errors import NeoaiError

__all__ = ["complete", "requirement"]

_DISTRIBUTION = "neoai"
_NAMES = {"PIL": "pillow", "cv2": "opencv-python-headless", "open_clip": "open-clip-torch", "sklearn": "scikit-learn"}
_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


def requirement(name: str) -> str | None:
    """Return the requirement for an import name, such as "scikit-learn>=1.5" for "sklearn".

    Returns:
        The line of `requirements.txt`, from the library's metadata; None for what it does not name.

    Raises:
        NeoaiError: the library runs from a folder and is not installed, so that it has no metadata.
    """
    try:
        texts = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise NeoaiError("neoai is not installed, so its requirements are not known: pip install -e .") from error
    wanted = _normal(_NAMES.get(name, name))
    return next((text for text in texts if ";" not in text and _normal(re.split(r"[^\w.-]", text)[0]) == wanted), None)


def complete(names: Iterable[str]) -> list[str]:
    """Install those packages that cannot be imported, held to the versions of all that is installed.

    Args:
        names: import names, each of a package in `requirements.txt`.

    Returns:
        The requirements that were installed.

    Raises:
        NeoaiError: pip failed. The library is removed then, so that the notebook's cell, run again, tries again.
    """
    missing = [requirement(name) or name for name in names if importlib.util.find_spec(name) is None]
    if not missing:
        return []
    try:
        with tempfile.TemporaryDirectory() as folder:
            held = Path(folder, "held.txt")
            held.write_text(_pip("list", "--format=freeze"), encoding="utf-8")
            _pip("install", "--quiet", "--constraint", str(held), *missing)
    except subprocess.CalledProcessError as error:
        _pip("uninstall", "--quiet", "--yes", _DISTRIBUTION)
        reason = (error.stderr.strip() or str(error)).splitlines()[-1]
        raise NeoaiError(f"{', '.join(missing)} could not be installed beside what is here ({reason}).") from error
    importlib.invalidate_caches()
    return missing


def _pip(*words: str) -> str:
    """Run pip and return what it prints."""
    command = [*_PIP, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 # nosec B603


def _normal(name: str) -> str:
    """Spell a distribution's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    try:
        complete(sys.argv[1].split())
    except NeoaiError as problem:
        sys.exit(str(problem))
