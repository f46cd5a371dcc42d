"""Notebooks as files: read what any editor has saved, and find the parameters cell.

Editors differ in what they leave out and in what they add. Colab saves the state of widgets in a form that nbconvert
does not read (nbconvert, issue 1731), Windows' Notepad puts a byte-order mark in front, and others leave out ids,
metadata or the number of the format.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils.errors import DataError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["parameters_place", "read"]

_OUTPUTS = ("display_data", "error", "execute_result", "stream")


def read(path: Path) -> NotebookNode:
    """Read a notebook, written in any version of the format, as one of format 4.5.

    What is missing and has one possible value is filled in; the state of widgets is left out, since only a script could
    show it. The file stays as it is.

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


def parameters_place(book: NotebookNode, path: Path) -> int:
    """Return the place of the cell that has the tag `parameters`.

    Raises:
        DataError: no cell has it.
    """
    places = [place for place, cell in enumerate(book.cells) if "parameters" in cell.metadata.get("tags", [])]
    if not places:
        raise DataError(
            f"{path}: no cell has the tag `parameters`. Set it on the cell that declares the parameters (in JupyterLab "
            "and in Kaggle's editor under the cell's tags), or copy the notebook again; some editors drop tags."
        )
    return places[0]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__


def _complete(content: dict[str, Any]) -> None:
    """Fill in what may be missing in format 4; older formats are nbformat's own business."""
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
    """Set what is missing or of another type than it should be."""
    if not isinstance(node.get(key), kinds or type(value)):
        node[key] = value
