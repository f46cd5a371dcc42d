"""An environment that has what this one has, apart from the library and what a test leaves out."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

LIBRARY = ("neoai", "__editable__")
# Without a network, the library is built with the setuptools that are here; pip reads this "0" as "without".
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def make(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """Make the environment and return its Python.

    The installed packages are seen through links in a folder beside the environment, so pip takes them for installed
    and can remove none of them.
    """
    venv.create(folder, with_pip=False)
    python = folder / "bin/python"
    packages = folder / "packages"
    packages.mkdir()
    hidden = tuple(name.lower() for name in (*LIBRARY, *without))
    for place in dict.fromkeys(entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))):
        for path in Path(place).iterdir():
            if not path.name.lower().startswith(hidden) and not (packages / path.name).exists():
                (packages / path.name).symlink_to(path)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (folder / "lib" / version / "site-packages/packages.pth").write_text(f"{packages}\n")
    return python


def environment(**more: str) -> dict[str, str]:
    """Return the variables to run it with: none that leads to the library."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return kept | OFFLINE | more


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Write a package of one module, whose `VERSION` is its version."""
    info = f"{name}-{version}.dist-info"
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {r}" for r in requires),
    ]
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": "\n".join(lines) + "\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in (files | {f"{info}/RECORD": record}).items():
            archive.writestr(path, text)


def clone(root: Path, target: Path) -> str:
    """Commit the project as it lies here to a repository of its own and return its address."""
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    names = [name for name in listed if (root / name).is_file()]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_bytes((root / name).read_bytes())
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.hooksPath=/dev/null"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "as it lies here"]):
        subprocess.run([*git, *words], cwd=target, check=True, capture_output=True)
    return target.as_uri()
