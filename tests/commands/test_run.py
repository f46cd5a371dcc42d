"""papermill runs of small notebooks made by the tests."""

import threading
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import run as runs
from neoai_utils.commands.run import Run, run
from neoai_utils.errors import DataError
from tests.commands.small import WRITE, book


def test_a_run_collects_results(shelf: Path) -> None:
    nbformat.write(book("print(n)", WRITE), shelf / "task5.ipynb")
    done = run("task5")
    assert (done.error, done.results["ours"]) == (None, 0.75)
    assert "injected-parameters" not in done.notebook.read_text()


def test_parameters_and_output_folder_reach_the_notebook(shelf: Path, tmp_path: Path) -> None:
    nbformat.write(book("print('n is', n)", WRITE), shelf / "task5.ipynb")
    done = run("task5", tmp_path / "elsewhere", {"n": 5})
    assert done.results is not None
    assert "n is 5" in done.notebook.read_text()


def test_a_failing_notebook_does_not_raise(shelf: Path) -> None:
    nbformat.write(book(WRITE, "1 / 0"), shelf / "task5.ipynb")
    done = run("task5")
    assert done.results is None
    assert "ZeroDivisionError: division by zero" in done.error
    assert "ZeroDivisionError" in done.notebook.read_text()


def test_a_dead_kernel_is_an_error_of_the_run(shelf: Path) -> None:
    nbformat.write(book("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), shelf / "task5.ipynb")
    assert "kernel died" in run("task5").error


def test_old_results_never_pass_for_new_ones(shelf: Path) -> None:
    nbformat.write(book(WRITE), shelf / "task5.ipynb")
    run("task5")
    nbformat.write(book("1 / 0"), shelf / "task5.ipynb")
    done = run("task5")
    assert done.results is None
    assert not (done.folder / "results.json").exists()


def test_three_floods_at_once_pass(shelf: Path, tmp_path: Path) -> None:
    flood = "import sys\nfor i in range(5000): print('line', i, file=sys.stderr)"
    nbformat.write(book(flood, flood, WRITE), shelf / "task5.ipynb")
    done: list[Run] = []
    threads = [threading.Thread(target=lambda k=k: done.append(run("task5", tmp_path / str(k)))) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [d.error for d in done] == [None] * 3


def test_two_notebooks_at_once_meet(shelf: Path, tmp_path: Path) -> None:
    """Each waits until the other has begun, which one after the other could never do."""
    meet = """import pathlib, time
here, end = pathlib.Path(out_dir), time.monotonic() + 60
(here / "begun").touch()
while not all((here.parent / task / "begun").exists() for task in ("task5", "task7")):
    assert time.monotonic() < end, "the other has not begun"
    time.sleep(0.05)
"""
    write = WRITE.replace("outputs/task5", "absent")
    for task in ("task5", "task7"):
        nbformat.write(book(meet, write), shelf / f"{task}.ipynb")
    done = list(runs.run_all(["task5", "task7"], tmp_path / "elsewhere", {}, jobs=2))
    assert {d.task: d.error for d in done} == {"task5": None, "task7": None}


def test_a_missing_notebook_is_named(shelf: Path) -> None:
    with pytest.raises(DataError, match="task5.ipynb does not exist; existing notebooks: none"):
        run("task5")


def test_costs_are_added_up_by_section() -> None:
    """The numbered headings divide the cells; a cell that did not run since the workspace was opened counts nowhere."""
    heading, code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell
    cells = [code("0"), heading("## 1. The data\n\nText."), code("1"), code("2"), heading("### More"), code("3")]
    cells += [heading("## 2. The choice"), code("4"), heading("## 3. Try this"), code("5")]
    for number, cell in enumerate(cell for cell in cells if cell.cell_type == "code"):
        cell.execution_count = number + 1
    costs = [
        {"cell": n, "seconds": float(n), "cpu_seconds": n / 2, "peak_memory_mb": 10.0 * n, "peak_gpu_mb": None}
        for n in range(2, 6)
    ]
    found = runs._with_sections({"ours": 1.0, "cells": costs}, nbformat.v4.new_notebook(cells=cells))
    assert found == {
        "ours": 1.0,
        "sections": [
            {"title": "1. The data", "seconds": 9.0, "cpu_seconds": 4.5, "peak_memory_mb": 40.0, "peak_gpu_mb": None},
            {"title": "2. The choice", "seconds": 5.0, "cpu_seconds": 2.5, "peak_memory_mb": 50.0, "peak_gpu_mb": None},
        ],
    }
