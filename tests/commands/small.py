"""What the tests of several commands use: small notebooks, the command itself, a look at a folder."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from neoai_utils.commands import app

RESULTS = {
    "baseline": 0.1, "published": 0.5, "ours": 0.75, "ceiling": 0.9, "recovered": 0.8125,
    "peak_memory_mb": 512.0, "metric": "accuracy",
}  # fmt: skip
WRITE = f"""import json, pathlib
folder = pathlib.Path(out_dir or "outputs/task5")
(folder / "results.json").write_text(json.dumps({RESULTS!r}))
"""


def book(*code: str) -> nbformat.NotebookNode:
    """Return a notebook with a title, parameters and code cells."""
    title = new_markdown_cell("# Title\n<!-- cost -->\n<!-- /cost -->")
    parameters = new_code_cell('out_dir: str = ""\nn: int = 1', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    return new_notebook(cells=[title, parameters, *map(new_code_cell, code)], metadata=kernel)


def put(folder: Path, *code: str) -> None:
    """Write a notebook of task 5 into a folder's notebooks/."""
    (folder / "notebooks").mkdir(exist_ok=True)
    parameters = new_code_cell('out_dir: str = ""', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    cells = [new_markdown_cell("# Title"), parameters, *map(new_code_cell, code)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "notebooks/task5.ipynb")


def contents(folder: Path) -> dict[str, str]:
    """Return the texts of all files below a folder."""
    return {str(p.relative_to(folder)): p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.is_file()}


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Run `neoai` with words and return its exit status."""
    monkeypatch.setattr(sys, "argv", ["neoai", *words])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    return stopped.value.code or 0
