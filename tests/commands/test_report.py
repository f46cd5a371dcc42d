"""Stored notebooks, the table of scores and the sections of generated text."""

import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, new_output

from neoai_utils.commands import seeds
from neoai_utils.commands.report import (
    number,
    read_scores,
    scores_markdown,
    share,
    store,
    update_scores,
    update_section,
)  # fmt: skip
from neoai_utils.commands.run import Run, run
from neoai_utils.errors import NeoaiError
from tests.commands.small import RESULTS, WRITE, book


def test_a_run_is_stored_with_its_cost_and_without_its_times(shelf: Path) -> None:
    nbformat.write(book("print(n)", WRITE), shelf / "task5.ipynb")
    done = run("task5")
    assert (done.error, done.results["ours"]) == (None, 0.75)
    store(done)
    stored = nbformat.read(shelf / "task5.ipynb", as_version=4)
    assert "512" not in stored.cells[0].source
    assert "0.5 GB of memory" in stored.cells[0].source
    assert [c.execution_count for c in stored.cells if c.cell_type == "code"] == [1, 2, 3]
    assert "papermill" not in json.dumps(stored)
    store(run("task5"))  # storing is idempotent
    assert nbformat.read(shelf / "task5.ipynb", as_version=4).cells[1:] == stored.cells[1:]


def test_download_notices_are_not_stored_but_warnings_are(shelf: Path) -> None:
    notice = "print('fetching minilm-l6 (84 MB, once)')"
    both = f"print(1); {notice}; print(2)"
    nbformat.write(book(notice, both, "import sys; print('beware', file=sys.stderr)", WRITE), shelf / "task5.ipynb")
    store(run("task5"))
    stored = nbformat.read(shelf / "task5.ipynb", as_version=4).cells
    assert [[output.text for output in cell.outputs] for cell in stored[2:5]] == [[], ["1\n2\n"], ["beware\n"]]


def test_ended_lines_of_progress_are_not_stored(shelf: Path) -> None:
    code = "from IPython.display import display; display({'text/plain': ''}, raw=True); print(1)"
    nbformat.write(book(code, WRITE), shelf / "task5.ipynb")
    store(run("task5"))
    stored = nbformat.read(shelf / "task5.ipynb", as_version=4).cells
    assert [output.text for output in stored[2].outputs] == ["1\n"]


def test_a_run_that_failed_is_not_stored(shelf: Path) -> None:
    with pytest.raises(NeoaiError, match="task5 failed, so it is not stored: boom"):
        store(Run("task5", shelf, 1.0, None, "boom"))


def test_a_run_with_other_parameters_is_not_stored(shelf: Path) -> None:
    nbformat.write(book(WRITE), shelf / "task5.ipynb")
    with pytest.raises(NeoaiError, match="other parameters"):
        store(run("task5", values={"n": 5}))


def test_sections_change_only_between_their_markers() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    new = update_section(text, "x", "1\n2")
    assert new == "a\n<!-- x -->\n1\n2\n<!-- /x -->\nb"
    assert update_section(new, "x", "1\n2") == new
    assert update_section("<!-- x -->\n<!-- /x -->", "x", "1") == "<!-- x -->\n1\n<!-- /x -->"
    assert update_section(text, "y", "1") == text


def test_the_score_table_of_the_readme() -> None:
    rows = scores_markdown(
        [Run("task5", Path("o"), 61.4, RESULTS), Run("task7", Path("o"), 1.0, None, "boom")]
    ).splitlines()
    assert len(rows) == 3
    assert "| 0.100 | 0.500 | **0.750** | 0.900 | 81% | 61 | 0.5 GB |" in rows[2]
    unknown = dict.fromkeys(seeds.ROLES)
    assert "| – | – | **–** | – | – | 61 | 0.5 GB |" in scores_markdown(
        [Run("task5", Path("o"), 61.4, RESULTS | unknown)]
    )
    records = {"task5": {role: [0.5, 0.7] for role in seeds.ROLES}}
    rows = scores_markdown([Run("task5", Path("o"), 61.4, RESULTS)], records).splitlines()
    assert "| **0.600 ± 0.141** | 0.600 ± 0.141 | 60% ± 14% | 61 |" in rows[2]


def test_a_partial_run_rewrites_its_own_rows_only() -> None:
    both = [Run("task5", Path("o"), 61.4, RESULTS), Run("task7", Path("o"), 7.0, RESULTS)]
    text = update_scores("a\n<!-- scores -->\n<!-- /scores -->\nb", both)
    assert scores_markdown(both) in text
    again = update_scores(text, [Run("task7", Path("o"), 9.0, RESULTS | {"ours": 0.8})])
    changed = [new for old, new in zip(text.splitlines(), again.splitlines(), strict=True) if old != new]
    assert len(changed) == 1
    assert "**0.800**" in changed[0]
    assert update_scores(text, []) == update_scores(text, [Run("task7", Path("o"), 1.0, None, "boom")]) == text
    assert update_scores("no markers", both) == "no markers"


SCORE = st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(*[SCORE] * 6)
def test_scores_are_read_as_the_summary_prints_them(base, published, ours, ceiling, error, recovered) -> None:
    scores = {"baseline": base, "published": published, "ours": ours, "ceiling": ceiling}
    errors = {"ours": error}
    lines = {
        name: {"score": score, "error": errors.get(name), "recovered": recovered} for name, score in scores.items()
    }
    table = pd.DataFrame.from_dict(lines, orient="index").astype(float).round(3)
    printed = str(table.assign(error=table["error"].astype(object).where(table["error"].notna(), "")))
    output = new_output("execute_result", {"text/plain": printed})
    scores_read = read_scores(new_notebook(cells=[new_code_cell("workspace.summary()", outputs=[output])]))
    for name, value in (scores | {"recovered": recovered}).items():
        assert scores_read[name] == (None if value is None else pytest.approx(value, rel=1e-4, abs=1e-3)), printed


def test_a_notebook_without_summary_has_no_scores() -> None:
    assert set(read_scores(book("print(1)")).values()) == {None}


def test_the_tag_of_the_gallery_s_figure_is_stored(shelf: Path) -> None:
    tagged = book(WRITE)
    tagged.cells[2].metadata["tags"] = ["nbsphinx-thumbnail", "mine"]
    nbformat.write(tagged, shelf / "task5.ipynb")
    store(run("task5"))
    assert nbformat.read(shelf / "task5.ipynb", as_version=4).cells[2].metadata == {"tags": ["nbsphinx-thumbnail"]}


def test_numbers_and_shares_are_short_and_unknown_ones_a_dash() -> None:
    assert (number(0.12345), share(0.8125), number(None), share(None)) == ("0.123", "81%", "–", "–")
