"""Uploads for Kaggle: a notebook that carries the modules it needs, and the `kernel-metadata.json` beside it.

Kaggle takes one file. So each module that the notebook's imports reach, also those inside functions, is written into a
collapsed cell of its own: `%%writefile` and then the module, byte for byte. The cell writes it below the working
folder, and it is imported from there. No module is packed, so all code that runs can be read.

A bundle plays the competition's own files, which Kaggle mounts, so a miniature's code and data are left out. Of the
files in a `data` folder, a bundle carries those that are named in a module which the notebook itself imports, such as
the photographs that notebook 7 shows and their credits. Short text is written in readable cells, long text compressed,
other data as base85.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b85encode
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils import installing, storage
from neoai_utils.commands import imports, notebooks
from neoai_utils.commands.imports import Contents
from neoai_utils.competitions import COMPETITIONS, Needs
from neoai_utils.errors import NeoaiError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["LIMIT", "TAG", "USER", "bundle", "metadata", "write"]

LIMIT = 1_000_000  # bytes of a notebook
TAG = "neoai-library"
USER = "INSERT_USERNAME_HERE"
_COLLAPSED = {
    "_kg_hide-input": True,
    "_kg_hide-output": True,
    "jupyter": {"source_hidden": True, "outputs_hidden": True},
    "tags": [TAG],
}
_LINE = 1000  # characters of base85 a line
_READABLE = 2**16  # bytes; longer text, such as a list of a thousand photographers, would use up the limit


def write(task: str, folder: Path, user: str = USER) -> Path:
    """Write `<folder>/<task>/<task>.ipynb` and `kernel-metadata.json`.

    Args:
        task: "task1" … "task8".
        folder: the folder of all uploads.
        user: the user's name on Kaggle.

    Returns:
        The folder of the two files.

    Raises:
        DataError: the notebook is missing or holds code that is no Python.
        NeoaiError: the notebook would be larger than `LIMIT`, or the folder cannot be written.
    """
    content, facts = bundle(task), metadata(task, user)
    target = folder / task
    with storage.atomic_path(target / f"{task}.ipynb") as temporary:
        temporary.write_bytes(content)
    with storage.atomic_path(target / "kernel-metadata.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8", newline="\n")
    return target


def bundle(task: str) -> bytes:
    """Return the notebook that needs no library: the stored one with the modules behind the parameters cell.

    Raises:
        DataError: the notebook is missing, holds code that is no Python, or no cell has the tag `parameters`.
        NeoaiError: the result is larger than `LIMIT`, or the library is not installed, so that the requirement of a
            package that Kaggle's image lacks is unknown.
    """
    import nbformat

    path, contents = notebooks.find_notebook(task), imports.collect(task)
    book = notebooks.read(path)
    behind = notebooks.parameters_index(book, path) + 1
    book.cells[behind:behind] = _library(COMPETITIONS[task].needs, contents)
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:03d}"
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    # a cell's source as one text: Kaggle's server expects it, and a list of lines takes a fifth more
    content = f"{nbformat.writes(book, version=4, split_lines=False)}\n".encode()
    if len(content) > LIMIT:
        largest = max(contents.files, key=lambda name: (imports.ROOT / name).stat().st_size)
        raise NeoaiError(
            f"{task}.ipynb would have {len(content):,} bytes, and Kaggle takes {LIMIT:,}; the largest part is "
            f"{largest}. Import less in the notebook."
        )
    return content


def metadata(task: str, user: str = USER) -> dict[str, Any]:
    """Return the content of `kernel-metadata.json`.

    The last part of `id` is the title as Kaggle spells it in addresses; Kaggle warns about any other.

    Raises:
        DataError: the notebook is missing or holds code that is no Python.
    """
    facts = COMPETITIONS[task]
    title = f"neoai {facts.number} {facts.title}"
    return {
        "id": f"{user}/{re.sub(r'[^a-z0-9]+', '-', title.lower())}",
        "title": title,
        "code_file": f"{task}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": facts.needs.gpu,
        # The torch of Kaggle's image has no kernels for the default, a P100.
        **({"machine_shape": "NvidiaTeslaT4"} if facts.needs.gpu else {}),
        "enable_internet": bool(facts.needs.online or imports.collect(task).packages),
        "competition_sources": [facts.slug],
        "dataset_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }


def _library(needs: Needs, contents: Contents) -> list[NotebookNode]:
    """Return the cells that make the folders, write the files and install the packages."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    sources = [_folders_cell(contents.files), *map(_module_cell, contents.modules), *map(_data_cell, contents.data)]
    cells = [new_markdown_cell(_introduction(needs), metadata={"tags": [TAG]})]
    cells += [new_code_cell(source, metadata=_COLLAPSED) for source in sources]
    if contents.packages:
        cells.append(new_code_cell(_install_cell(needs, contents.packages), metadata={"tags": [TAG]}))
    return cells


def _introduction(needs: Needs) -> str:
    text = (
        "## The library\n\n"
        "The collapsed cells below hold the modules of `neoai_utils` that this notebook uses, unchanged. They are "
        "written to the working folder and imported from there, so you need not attach a library."
    )
    online = [f"Internet must be on for {needs.online}."] if needs.online else []
    return " ".join([text, *online, needs.attach]).rstrip()


def _install_cell(needs: Needs, names: Iterable[str]) -> str:
    """Return the cell that installs packages that the host lacks; those with a condition come last."""
    lines = {name: installing.requirement(name) for name in names}
    kinds = {name: "optional" if name in needs.optional else "required" for name in lines}
    always = [name for name in lines if name not in needs.conditions]
    required, optional = (
        {name: lines[name] for name in always if kinds[name] == kind} for kind in ("required", "optional")
    )
    return "\n".join([
        "# Packages that Kaggle's image lacks; installed packages keep their versions.",
        "from neoai_utils import installing\n",
        f"required, optional = {json.dumps(required)}, {json.dumps(optional)}",
        *(f"if {condition}:\n    {kinds[name]}[{json.dumps(name)}] = {json.dumps(lines[name])}"
          for name, condition in needs.conditions.items() if name in kinds),
        "installing.provide(required, optional)",
    ])  # fmt: skip


def _folders_cell(paths: Iterable[str]) -> str:
    folders = sorted({Path(path).parent.as_posix() for path in paths})
    return (
        "# The next cells write the library here; it is imported from this folder.\n"
        "import sys\n"
        "from pathlib import Path\n\n"
        f"for name in {json.dumps(folders)}:\n"
        "    Path(name).mkdir(parents=True, exist_ok=True)\n"
        "sys.path.insert(0, str(Path.cwd()))"
    )


def _module_cell(path: str) -> str:
    return f"%%writefile {path}\n{(imports.ROOT / path).read_bytes().decode()}"


def _data_cell(path: str) -> str:
    content = (imports.ROOT / path).read_bytes()
    if path.endswith((".json", ".md", ".txt")) and content.endswith(b"\n"):
        return _module_cell(path) if len(content) <= _READABLE else _packed_cell(path, content)
    return (
        f"# {path}, {len(content):,} bytes\n"
        "from base64 import b85decode\n\n"
        f'Path("{path}").write_bytes(b85decode("""{_base85(content)}""".replace("\\n", "")));'
    )


def _packed_cell(path: str, content: bytes) -> str:
    """Return a cell that writes a long text, compressed to about a third."""
    return (
        f"# {path}, {len(content):,} bytes of text, compressed\n"
        "from base64 import b85decode\nfrom zlib import decompress\n\n"
        f'Path("{path}").write_bytes(decompress(b85decode("""{_base85(zlib.compress(content, 9))}"""'
        '.replace("\\n", ""))));'
    )


def _base85(content: bytes) -> str:
    text = b85encode(content).decode()  # no quote and no backslash in its alphabet
    return "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))
