"""Install packages that a notebook needs and its host lacks, without changing the version of an installed package.

The images of Kaggle and Colab hold packages whose versions fit each other. So pip is constrained to the versions of
all installed packages, and a package that does not fit them is not installed.

A notebook that was opened from a badge runs `python -m neoai_utils.installing "lightgbm torch"` after it has installed
the library without its dependencies.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import subprocess  # for pip alone # nosec B404
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from neoai_utils.errors import NeoaiError

__all__ = ["complete", "install", "provide", "requirement"]

_LIBRARY = "neoai"
_NAMES = {
    "IPython": "ipython",
    "PIL": "pillow",
    "cv2": "opencv-python-headless",
    "open_clip": "open-clip-torch",
    "sklearn": "scikit-learn",
}

_PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def requirement(name: str) -> str | None:
    """Return the requirement for an import name, such as "scikit-learn>=1.5" for "sklearn".

    Returns:
        The line of `requirements.txt`, from the library's metadata; None for a package that it does not name.

    Raises:
        NeoaiError: the library runs from a folder and is not installed, so that it has no metadata.
    """
    try:
        texts = importlib.metadata.requires(_LIBRARY) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise NeoaiError("neoai is not installed, so its requirements are unknown: pip install -e .") from error
    wanted = _normal(_NAMES.get(name, name))
    return next((text for text in texts if ";" not in text and _normal(re.split(r"[^\w.-]", text)[0]) == wanted), None)


def complete(names: Iterable[str]) -> None:
    """Install the packages that cannot be imported, after the library was installed without its dependencies.

    Args:
        names: import names, each of a package in `requirements.txt`.

    Raises:
        NeoaiError: pip failed. The library is uninstalled in this case, so that the notebook's cell, run again, tries
            again.
    """
    missing = [requirement(name) or name for name in names if importlib.util.find_spec(name) is None]
    try:
        if missing:
            install(*missing)
    except NeoaiError:
        _pip("uninstall", "--quiet", "--yes", _LIBRARY)
        raise


def provide(required: Mapping[str, str], optional: Mapping[str, str] | None = None) -> None:
    """Install what cannot be imported; where everything can be imported, do nothing and print nothing.

    Args:
        required: import name -> requirement, for the packages that a notebook cannot do without.
        optional: the same for packages that it can do without: where pip fails for one, one line is printed.

    Raises:
        NeoaiError: pip failed for a required package.
    """
    for name, requirement in {**required, **(optional or {})}.items():
        if importlib.util.find_spec(name) is not None:
            continue
        try:
            install(requirement)
        except NeoaiError as error:
            if name in required:
                raise NeoaiError(
                    f"{error}: turn on Internet for this notebook (on Kaggle: Settings → Internet), then run it again."
                ) from None
            print(f"{error}; what needs it is left out.")


def install(*requirements: str) -> None:
    """Install packages without changing the version of an installed one.

    Raises:
        NeoaiError: pip failed; the message holds the last line that pip printed.
    """
    try:
        with TemporaryDirectory() as folder:
            constraints = Path(folder, "constraints.txt")
            constraints.write_text(_pip("list", "--format=freeze"), encoding="utf-8")
            _pip("install", "--quiet", "--constraint", str(constraints), *requirements)
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip() or str(error)).splitlines()[-1]
        raise NeoaiError(f"{', '.join(requirements)} could not be installed (pip says: {last_line})") from error
    importlib.invalidate_caches()


def _pip(*words: str) -> str:
    """Run pip and return what it prints."""
    return subprocess.run([*_PIP, *words], check=True, capture_output=True, text=True).stdout  # noqa: S603 # nosec B603


def _normal(name: str) -> str:
    """Return a distribution's name in normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    try:
        complete(sys.argv[1].split())
    except NeoaiError as problem:
        sys.exit(str(problem))
