"""The repository's address, which `pyproject.toml` alone holds, and the texts that are generated from it.

These are the badges of the notebooks, the first lines of their second code cell, which install the library where it is
missing, and the line in the README that clones the repository. `neoai address` and `neoai run --store` write them.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import textwrap
import tomllib
from collections.abc import Iterable
from pathlib import Path

from neoai_utils import storage
from neoai_utils.commands import notebooks
from neoai_utils.errors import NeoaiError, ParameterError

__all__ = ["GUARD", "address", "badges", "clone_line", "getting", "set_address", "with_glossary", "without_getting"]

GUARD = "from neoai_utils import parameters\n"  # the line of the second code cell that is not generated
_ROOT = Path(__file__).resolve().parents[2]
_BRANCH = "main"
_WHOLE = re.compile(r"(https?|ssh|file)://[\w.~:/@%+-]+")
_GLOSSARY = re.compile(r"\(\S+/notebooks/glossary\.md\)")
_BADGES = (
    ("Open in Kaggle", "https://kaggle.com/static/images/open-in-kaggle.svg", "https://kaggle.com/kernels/welcome?src=https://github.com/"),
    ("Open in Colab", "https://colab.research.google.com/assets/colab-badge.svg", "https://colab.research.google.com/github/"),
)  # fmt: skip


def address() -> str:
    """Return the repository's address: from `pyproject.toml` beside the notebooks or the library, else as installed.

    Raises:
        NeoaiError: neither names one.
    """
    for path in (_pyproject(), _ROOT / "pyproject.toml"):
        if url := _repository(path):
            return url
    try:
        lines = importlib.metadata.metadata("neoai").get_all("Project-URL", [])
    except importlib.metadata.PackageNotFoundError:
        lines = []
    urls: dict[str, str] = dict(line.split(", ", 1) for line in lines)
    if "Repository" not in urls:
        raise NeoaiError("no pyproject.toml names the repository's address; give it: neoai address URL")
    return str(urls["Repository"])


def set_address(text: str) -> None:
    """Write another address into `pyproject.toml`, as given or as it is cloned (a `.git` at the end is dropped).

    Args:
        text: such as "https://github.com/NAME/neoai", "git@github.com:NAME/neoai.git", or the folder of a clone.

    Raises:
        ParameterError: the text is no address.
        NeoaiError: there is no `pyproject.toml` of neoai here.
    """
    text = text.strip()
    folder = Path(text).expanduser()
    url = re.sub(r"^git@([\w.-]+):", r"https://\1/", text)
    if text and folder.is_dir():
        url = folder.resolve().as_uri()
    url = url.rstrip("/").removesuffix(".git")
    if not _WHOLE.fullmatch(url):
        raise ParameterError(f"{text!r} is no address of a repository, such as https://github.com/NAME/neoai")
    path = _pyproject()
    if not _repository(path):
        raise NeoaiError(f"{path} names no repository of neoai; run this in the folder that holds notebooks/.")
    new = re.sub(r'(?m)^Repository = ".*"$', lambda _: f'Repository = "{url}"', path.read_text(encoding="utf-8"))
    with storage.atomic_path(path) as temporary:
        temporary.write_text(new, encoding="utf-8", newline="\n")


def _pyproject() -> Path:
    """Return the path of the `pyproject.toml` beside the notebooks."""
    return notebooks.notebooks_dir().parent / "pyproject.toml"


def _repository(path: Path) -> str:
    """Return the address in a `pyproject.toml` of neoai; empty for another project's, and where there is none."""
    try:
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return ""
    return str(project.get("urls", {}).get("Repository", "")) if project.get("name") == "neoai" else ""


def badges(task: str, source: str) -> str:
    """Return the badges that open a notebook on Kaggle and Colab, which open notebooks on GitHub only."""
    name = source.removeprefix("https://github.com/")
    if name == source:
        return "This copy does not lie on GitHub, so Kaggle and Colab cannot open it from here."
    file = f"{name}/blob/{_BRANCH}/notebooks/{task}.ipynb"
    return "\n".join(f"[![{text}]({picture})]({host}{file})" for text, picture, host in _BADGES)


def with_glossary(text: str, source: str) -> str:
    """Return a text whose links to the glossary point into the repository; on Kaggle no file lies beside a notebook."""
    return _GLOSSARY.sub(f"({source}/blob/{_BRANCH}/notebooks/glossary.md)", text)


def clone_line(source: str) -> str:
    """Return the README's commands that get the repository."""
    return f"```bash\ngit clone {source} neoai && cd neoai\n```"


def getting(task: str, source: str, packages: Iterable[str]) -> str:
    """Return the lines that install the library where it is missing.

    Args:
        task: such as "task7".
        source: the repository's address.
        packages: import names of the packages that the notebook needs; missing ones are installed too.
    """
    names = textwrap.fill(" ".join(packages), width=72, subsequent_indent=" " * 8)
    return f"""\
import importlib.util

if importlib.util.find_spec("neoai_utils") is None:  # opened from a badge
    import subprocess
    import sys

    library = {json.dumps("git+" + source)}
    needed = {'"' * 3}{names}{'"' * 3}
    python = [sys.executable, "-m"]
    get = ["pip", "install", "--no-deps", library]  # what is installed is not moved
    try:
        for args in (get, ["neoai_utils.installing", needed]):
            subprocess.run([*python, *args], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        raise RuntimeError("turn on Internet, or upload `neoai bundle {task}`") from None
    importlib.invalidate_caches()

"""


def without_getting(source: str) -> str:
    """Return a cell's source without the lines of `getting`."""
    before, line, rest = source.partition(GUARD)
    return line + rest if 'find_spec("neoai_utils")' in before else source
