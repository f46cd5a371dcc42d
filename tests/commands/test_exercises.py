"""The exercises at the end of a notebook: what is changed, and what the play of the change gave."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from neoai_utils.commands import exercises, notebooks
from neoai_utils.commands.exercises import Exercise
from neoai_utils.errors import DataError, NeoaiError, ParameterError
from tests.commands.small import RESULTS

PARAMETERS = 'out_dir: str = ""\nsteps: int = 3'
PLAY = f"""
import json, pathlib
share = 0.5
print(f"a row: validation 0.100 ± 0.010, score {{steps * share:.3f}} ± 0.020")
pathlib.Path(out_dir or ".", "results.json").write_text(json.dumps({RESULTS!r} | {{"rows": []}}))
"""
TEXT = """\
## 9. Try this

<!-- try: steps 6 | a row -->
1. **More steps.** Set `steps` to 6.
   Look at the row.

<!-- try: share = 0.5 => share = 0.1 | a row | ours -->
2. **Less.** Change `share` in section 1 to 0.1."""


@pytest.fixture
def path(shelf: Path) -> Path:
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(PLAY), new_markdown_cell(TEXT)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), shelf / "task5.ipynb")
    return shelf / "task5.ipynb"


def test_a_mark_names_the_change_and_the_rows(path: Path) -> None:
    found = exercises.read(notebooks.read(path))
    assert found == [Exercise("steps 6", ("a row",)), Exercise("share = 0.5 => share = 0.1", ("a row", "ours"))]


def test_a_change_sets_a_parameter_or_replaces_text_once(path: Path) -> None:
    book = notebooks.read(path)
    first, second = exercises.read(book)
    assert exercises.changed(book, first, path) == (book, {"steps": 6})
    made, values = exercises.changed(book, second, path)
    assert values == {}
    assert made.cells[1].source == PLAY.replace("share = 0.5", "share = 0.1")
    assert book.cells[1].source == PLAY


def test_a_change_that_does_not_fit_is_an_error(path: Path) -> None:
    book = notebooks.read(path)
    with pytest.raises(DataError, match="once in the code"):
        exercises.changed(book, Exercise("share => part", ("a row",)), path)
    with pytest.raises(ParameterError, match="steps"):
        exercises.changed(book, Exercise("step 6", ("a row",)), path)


def test_what_the_changes_gave_stands_below_them_and_a_second_time_replaces_the_first(path: Path) -> None:
    book = notebooks.read(path)
    book.cells[1].outputs = [nbformat.v4.new_output("stream", text="a row: validation 0.1, score 1.500 ± 0.020\n")]
    nbformat.write(book, path)
    played = exercises.measure("task5", path.parent.parent / "outputs")
    assert exercises.write("task5", played) == notebooks.find_notebook("task5")
    once = path.read_text(encoding="utf-8")
    text = notebooks.read(path).cells[2].source
    assert "   | a row | score 1.500 ± 0.020 | score 3.000 ± 0.020 |\n\n   </details>\n\n<!-- try: share" in text
    assert "   | a row | score 1.500 ± 0.020 | score 0.300 ± 0.020 |\n   | ours | not played | not played |" in text
    exercises.write("task5", played)
    assert path.read_text(encoding="utf-8") == once


def test_a_play_that_fails_is_named(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("steps 6 |", "steps 0 |")
    path.write_text(text.replace("share = 0.5\\n", "1 / steps\\nshare = 0.5\\n", 1))
    with pytest.raises(NeoaiError, match="task5, exercise 1: .*ZeroDivisionError"):
        exercises.measure("task5", path.parent.parent / "outputs")
