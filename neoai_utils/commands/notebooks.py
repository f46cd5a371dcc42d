"""Where the notebooks are, and how they are read.

Editors save notebooks in different ways. Colab saves the state of widgets in a form that nbconvert does not read
(nbconvert, issue 1731), Windows' Notepad adds a byte-order mark, and others leave out ids, metadata or the number of
the format. `read` accepts all of these.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils import parameters
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, ParameterError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["available", "code_of", "find_notebook", "notebooks_dir", "parameters_index", "read", "typed"]

_OUTPUTS = ("display_data", "error", "execute_result", "stream")


def notebooks_dir() -> Path:
    """Return the notebooks folder below the current folder, else the one beside the library."""
    here = Path("notebooks")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / "notebooks"


def available() -> list[str]:
    """Return the tasks that have a notebook, in order."""
    return [task for task in COMPETITIONS if (notebooks_dir() / f"{task}.ipynb").is_file()]


def find_notebook(task: str) -> Path:
    """Return the notebook of a task, such as "task7".

    Raises:
        DataError: the notebook is missing; the message names those that exist.
    """
    path = notebooks_dir() / f"{task}.ipynb"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; existing notebooks: {', '.join(available()) or 'none'}. "
            "Run this in the folder that holds notebooks/."
        )
    return path


def read(path: Path) -> NotebookNode:
    """Read a notebook, written in any version of the format, as one of format 4.5.

    A missing entry with one possible value is filled in. The state of widgets is left out, since only a script could
    show it. The file is not changed.

    Raises:
        DataError: the file is not readable or is no notebook.
    """
    import nbformat

    try:
        content = json.loads(path.read_bytes())  # bytes: a byte-order mark and UTF-16 are recognised
        _complete(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about missing ids, which are made
            # from_dict: a notebook of format 3 would be a node of that format's own class
            book = nbformat.from_dict(nbformat.v4.upgrade(nbformat.reads(json.dumps(content), as_version=4)))
    except (OSError, RecursionError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is no notebook: its text is not JSON ({_line(error)}). Copy it again.") from error
    except Exception as error:  # nbformat meets a foreign structure with whatever error comes first
        raise DataError(f"{path} is no notebook: {_line(error)}. Open it in Jupyter and save it again.") from error
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        cell.source = cell.source.replace("\r\n", "\n")
    return book


def parameters_index(book: NotebookNode, path: Path) -> int:
    """Return the index of the cell that has the tag `parameters`.

    Args:
        book: the notebook.
        path: its file, for the message.

    Raises:
        DataError: no cell has the tag.
    """
    indices = [index for index, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", [])]
    if not indices:
        raise DataError(
            f"{path}: no cell has the tag `parameters`. Set it on the cell that declares the parameters (in JupyterLab "
            "and in Kaggle's editor under the cell's tags), or copy the notebook again; some editors drop tags."
        )
    return indices[0]


def code_of(notebook: Path) -> list[tuple[str, list[str]]]:
    """Return source and tags of each code cell: all that a run depends on.

    Raises:
        DataError: the file is no notebook.
    """
    cells = read(notebook).cells
    return [(cell.source, cell.metadata.get("tags", [])) for cell in cells if cell.cell_type == "code"]


def typed(notebook: Path, texts: Mapping[str, Sequence[str]]) -> dict[str, list[object]]:
    """Read parameters from the command line as the types that a notebook declares.

    Args:
        notebook: the notebook.
        texts: parameter -> its values as typed.

    Returns:
        Parameter -> its values.

    Raises:
        DataError: the file is no notebook, or none of its cells has the tag `parameters`.
        ParameterError: `out_dir` is among the parameters, the notebook declares no parameter of that name (the message
            suggests the closest one), or a value is not of the declared type.
    """
    if not texts:
        return {}
    if "out_dir" in texts:
        raise ParameterError("out_dir follows from the output folder; give --outputs instead.")
    book = read(notebook)
    try:
        return parameters.read_values(book.cells[parameters_index(book, notebook)].source, texts)
    except ParameterError as error:
        raise ParameterError(f"{notebook.stem}: {error}") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _complete(content: dict[str, Any]) -> None:
    """Fill in missing entries of format 4; nbformat upgrades older formats."""
    if not isinstance(content, dict) or not ("cells" in content or "worksheets" in content):
        raise TypeError("it has no cells")
    _default(content, "metadata", {})
    content["metadata"].pop("widgets", None)
    _default(content["metadata"], "language_info", {"name": "python"})
    if "worksheets" in content:
        return
    _default(content, "nbformat", 4)
    _default(content, "nbformat_minor", 4)
    for cell in content["cells"]:
        _complete_cell(cell)


def _complete_cell(cell: dict[str, Any]) -> None:
    _default(cell, "metadata", {})
    _default(cell, "source", "", (str, list))
    tags = cell["metadata"].pop("tags", None)
    if tags:
        cell["metadata"]["tags"] = [tags] if isinstance(tags, str) else list(tags)
    if cell["cell_type"] == "code":
        _default(cell, "outputs", [])
        cell.setdefault("execution_count", None)
        cell["outputs"] = [output for output in cell["outputs"] if output.get("output_type") in _OUTPUTS]
        for output in cell["outputs"]:
            _complete_output(output)
        cell["outputs"] = [output for output in cell["outputs"] if output.get("data", "text") != {}]


def _complete_output(output: dict[str, Any]) -> None:
    if output["output_type"] == "stream":
        _default(output, "name", "stdout")
        _default(output, "text", "", (str, list))
    elif output["output_type"] == "error":
        _default(output, "ename", "Error")
        _default(output, "evalue", "")
        _default(output, "traceback", [])
    else:
        _default(output, "data", {})
        _default(output, "metadata", {})
        output["data"] = {kind: value for kind, value in output["data"].items() if value is not None}
        odd = [kind for kind in output["data"] if not isinstance(output["metadata"].get(kind, {}), dict)]
        for kind in odd:
            del output["metadata"][kind]
        if output["output_type"] == "execute_result":
            output.setdefault("execution_count", None)


def _default(node: dict[str, Any], key: str, value: object, kinds: type | tuple[type, ...] = ()) -> None:
    """Set an entry that is missing or has the wrong type."""
    if not isinstance(node.get(key), kinds or type(value)):
        node[key] = value
