"""What a cell costs is noted while a notebook runs."""

from __future__ import annotations

import json

import nbformat
from nbclient import NotebookClient

from neoai_utils.costs import CellCosts

CELLS = (
    "import dataclasses, json, time\nfrom neoai_utils.costs import CellCosts\ncosts = CellCosts()",
    "time.sleep(0.3)",
    "held = bytearray(300 * 2**20)",
    "print(json.dumps([dataclasses.asdict(row) for row in costs.rows()]))",
)


def test_seconds_and_memory_of_each_cell() -> None:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    NotebookClient(book, kernel_name="python3").execute()
    rows = json.loads(book.cells[-1].outputs[0].text)
    assert [row["cell"] for row in rows] == [1, 2, 3, 4], "the current cell counts, too"
    assert 0.3 <= rows[1]["seconds"] < 5
    assert rows[3]["seconds"] < 0.3
    assert rows[1]["cpu_seconds"] < 0.2, "a cell that sleeps does not compute"
    peaks = [row["peak_memory_mb"] for row in rows]
    assert peaks == sorted(peaks)
    assert peaks[2] - peaks[1] > 250
    assert {row["peak_gpu_mb"] for row in rows} == {None}


def test_without_a_notebook_there_is_nothing_to_note() -> None:
    assert CellCosts().rows() == []
