"""Notebooks as other editors save them: read, shown, played and uploaded, or refused in one sentence."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from neoai_utils.commands import bundle, gallery, notebooks, sweep
from neoai_utils.commands import run as runs
from neoai_utils.errors import DataError, DataWarning, ParameterError
from tests.commands.small import command

ROOT = Path(__file__).resolve().parents[2]
CODE = 'data_dir: str = ""\nout_dir: str = ""\nseed: int = 1'
GUARD = "from neoai_utils import parameters\n\nparameters.check(globals())"
WRITE = """import json, pathlib
(pathlib.Path(out_dir or "outputs/task5") / "results.json").write_text(json.dumps({"n": seed}))
"""
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
WIDGETS = {"application/vnd.jupyter.widget-state+json": {"8b2c": {"model_name": "HBoxModel", "state": {}}}}


def code(source: str, number: int, *outputs: dict, **metadata: Any) -> dict:
    return {"cell_type": "code", "metadata": metadata, "execution_count": number, "outputs": list(outputs),
            "source": source}  # fmt: skip


def plain() -> dict[str, Any]:
    """Return a small notebook of format 4.4, as JSON."""
    figure = {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "<Figure>"}, "metadata": {}}
    title = {"cell_type": "markdown", "metadata": {}, "source": "# Small\n\n**The problem in one sentence.** Small."}
    cells = [title, code(CODE, 1, tags=["parameters"]), code(GUARD, 2), code(WRITE, 3, figure)]
    return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def changed(change: Callable[[dict], object]) -> bytes:
    book = plain()
    change(book)
    return json.dumps(book).encode()


def old() -> bytes:
    """Return the same in format 3."""
    cells = [{"cell_type": "heading", "level": 1, "metadata": {}, "source": "Small"}]
    cells += [{"cell_type": "code", "collapsed": False, "input": c["source"], "language": "python", "outputs": [],
               "metadata": c["metadata"], "prompt_number": 1} for c in plain()["cells"][1:]]  # fmt: skip
    book = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}
    return json.dumps(book).encode()


def without(*keys: str) -> bytes:
    return changed(lambda book: [cell.pop(key, None) for cell in book["cells"] for key in keys])


READABLE: dict[str, bytes] = {
    "format 4.4": changed(lambda book: None),
    "format 3": old(),
    "Colab's widgets": changed(lambda book: book["metadata"].update(widgets=WIDGETS)),
    "widgets of another kind": changed(lambda book: book["metadata"].update(widgets=[])),
    "a byte-order mark": b"\xef\xbb\xbf" + changed(lambda book: None),
    "UTF-16": changed(lambda book: None).decode().encode("utf-16"),
    "Windows' line ends": json.dumps(plain(), indent=1).replace("\n", "\r\n").encode(),
    "Windows' line ends in cells": changed(
        lambda book: [c.update(source=c["source"].replace("\n", "\r\n")) for c in book["cells"]]
    ),
    "sources as lists": changed(lambda book: [c.update(source=c["source"].splitlines(True)) for c in book["cells"]]),
    "no ids in 4.5": changed(lambda book: book.update(nbformat_minor=5)),
    "the same id twice": changed(
        lambda book: [book.update(nbformat_minor=5), *(cell.update(id="a") for cell in book["cells"])]
    ),
    "a later minor format": changed(lambda book: book.update(nbformat_minor=9)),
    "no number of the format": changed(lambda book: [book.pop("nbformat"), book.pop("nbformat_minor")]),
    "no metadata": changed(lambda book: book.pop("metadata")),
    "no outputs and counts": without("outputs", "execution_count"),
    "empty cells": changed(lambda book: book["cells"].extend([code("", 4), {"cell_type": "markdown", "source": ""}])),
    "a cell without source": changed(lambda book: book["cells"].append({"cell_type": "code", "metadata": {}})),
    "one tag as a text": changed(lambda book: book["cells"][1]["metadata"].update(tags="parameters")),
    "tags that are null": changed(lambda book: book["cells"][0].update(metadata={"tags": None})),
    "outputs without metadata": changed(lambda book: book["cells"][3]["outputs"][0].pop("metadata")),
    "outputs with odd metadata": changed(lambda book: book["cells"][3]["outputs"][0].update(metadata=None)),
    "a picture with odd metadata": changed(
        lambda book: book["cells"][3]["outputs"][0].update(metadata={"image/png": None, "needs_background": "light"})
    ),
    "an output of another kind": changed(lambda book: book["cells"][3]["outputs"].append({"output_type": "odd"})),
    "an output without a kind": changed(lambda book: book["cells"][3]["outputs"].append({})),
    "an output without data": changed(lambda book: book["cells"][3]["outputs"].append({"output_type": "display_data"})),
    "a stream without name": changed(
        lambda book: book["cells"][3]["outputs"].append({"output_type": "stream", "text": ["a\n"]})
    ),
    "an error without traceback": changed(
        lambda book: book["cells"][3]["outputs"].append({"output_type": "error", "ename": "E", "evalue": "e"})
    ),
}
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "half a file": changed(lambda book: None)[:300],
    "a merge conflict": b"<<<<<<< HEAD\n{}",
    "a web page": b"<!DOCTYPE html><html></html>",
    "a list": b"[]",
    "null": b"null",
    "no cells": b'{"metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "cells that are none": b'{"cells": [1, "a"], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}',
    "a later format": changed(lambda book: book.update(nbformat=7)),
    "Latin-1": '{"cells": "é"}'.encode("latin-1"),
    "brackets alone": b"[" * 100_000,
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with the notebook of task 7."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/task7.ipynb").write_bytes(changed(lambda book: None))
    return tmp_path / "notebooks"


@pytest.mark.parametrize("kind", READABLE)
def test_what_other_editors_save_is_read(kind: str, shelf: Path) -> None:
    """One reader for all; the file stays as it is; gallery, sweep and upload take the notebook."""
    path = shelf / "task5.ipynb"
    path.write_bytes(READABLE[kind])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        book = notebooks.read(path)
        nbformat.validate(book)
        assert (book.nbformat, book.nbformat_minor) == (4, 5)
        assert "widgets" not in book.metadata
        assert book.cells[notebooks.parameters_index(book, path)].source == CODE
        story = gallery.read_story("task5")
    assert "Small" in story.body
    assert (story.figure is None) is (kind in ("format 3", "no outputs and counts"))
    assert len(sweep.plan("task5", {"seed": ["1", "2"]}).points) == 2
    nbformat.validate(nbformat.reads(bundle.bundle("task5").decode(), as_version=4))
    assert path.read_bytes() == READABLE[kind]


@pytest.mark.parametrize("kind", ["a byte-order mark", "format 3", "no metadata"])
def test_what_other_editors_save_is_run(kind: str, shelf: Path) -> None:
    (shelf / "task5.ipynb").write_bytes(READABLE[kind])
    done = runs.run("task5", values={"seed": 4})
    assert (done.error, done.results) == (None, {"n": 4})


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_no_notebook_is_named_and_the_others_are_shown(kind: str, shelf: Path, monkeypatch, capsys) -> None:
    (shelf / "task5.ipynb").write_bytes(BROKEN[kind])
    with pytest.raises(DataError, match=r"task5\.ipynb is no notebook: .+ (Copy it|Open it in Jupyter)"):
        notebooks.read(shelf / "task5.ipynb")
    for words in (["bundle", "5"], ["sweep", "5", "-p", "seed", "1"], ["run", "5", "-p", "seed", "1"]):
        assert command(monkeypatch, *words) == 1
        printed = capsys.readouterr().err
        assert "task5.ipynb is no notebook" in printed
        assert "Traceback" not in printed
    assert "task5.ipynb is no notebook" in runs.run("task5").error
    with pytest.warns(DataWarning, match=r"task5\.ipynb is no notebook: .+ Its page is left out"):
        gallery.build()
    assert sorted(path.name for path in Path("outputs/gallery").iterdir()) == ["task7.html"]


@pytest.mark.parametrize(
    "data",
    [{"text/html": 5}, {"image/png": {"a": 1}}, {"text/plain": ["score", {"x": 1}]}],
    ids=lambda data: next(iter(data)),
)
def test_an_output_that_cannot_be_shown_costs_its_page_alone(data: dict, shelf: Path) -> None:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    (shelf / "task5.ipynb").write_bytes(changed(lambda book: book["cells"][3].update(outputs=[output])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        gallery.build()
    assert (shelf.parent / "outputs/gallery/task7.html").is_file()


def test_a_lost_tag_is_named_with_its_remedy(shelf: Path, monkeypatch, capsys) -> None:
    book = copy.deepcopy(plain())
    del book["cells"][1]["metadata"]["tags"]
    (shelf / "task5.ipynb").write_text(json.dumps(book))
    for words in (["bundle", "5"], ["sweep", "5", "-p", "seed", "1"], ["run", "5", "-p", "seed", "2"]):
        assert command(monkeypatch, *words) == 1
        printed = capsys.readouterr().err
        assert "no cell has the tag `parameters`. Set it on the cell that declares the parameters" in printed
        assert "Traceback" not in printed
    assert "no cell has the tag `parameters`" in runs.run("task5", Path("elsewhere")).error
    gallery.build()


def test_the_command_shows_a_notebook_that_is_left_out_as_one_plain_line(shelf: Path) -> None:
    (shelf / "task5.ipynb").write_text("{")
    command = [sys.executable, "-m", "neoai_utils.commands.app", "gallery"]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("Warning: notebooks/task5.ipynb is no notebook: its text is not JSON")


def test_the_notebooks_of_the_current_folder_are_listed(shelf: Path) -> None:
    assert notebooks.available() == ["task7"]
    assert notebooks.find_notebook("task7") == Path("notebooks/task7.ipynb")
    with pytest.raises(DataError, match=r"task5\.ipynb does not exist; existing notebooks: task7\. Run this in"):
        notebooks.find_notebook("task5")


def test_typed_values_have_the_types_that_the_notebook_declares(shelf: Path) -> None:
    path = shelf / "task7.ipynb"
    assert notebooks.typed(path, {"seed": ["1", "2e3"], "data_dir": ["5"]}) == {"seed": [1, 2000], "data_dir": ["5"]}
    with pytest.raises(ParameterError, match="task7: unknown parameter 'sede': did you mean seed"):
        notebooks.typed(path, {"sede": ["1"]})
    with pytest.raises(ParameterError, match="out_dir follows from the output folder"):
        notebooks.typed(path, {"out_dir": ["x"]})
