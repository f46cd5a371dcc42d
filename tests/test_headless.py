"""papermill runs of small notebooks made by the tests."""

import json
import threading
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from neoai_utils.commands import headless
from neoai_utils.commands.headless import Play, play, read_scores, scores_markdown, store, update_scores, update_section
from neoai_utils.errors import DataError, NeoaiError, UnknownTaskError

RESULTS = {
    "baseline": 0.1, "published": 0.5, "ours": 0.75, "ceiling": 0.9, "recovered": 0.8125,
    "peak_memory_mb": 512.0, "metric": "accuracy",
}  # fmt: skip
WRITE = f"""import json, pathlib
folder = pathlib.Path(out_dir or "outputs/task5")
(folder / "results.json").write_text(json.dumps({RESULTS!r}))
"""


def book(*code: str) -> nbformat.NotebookNode:
    title = new_markdown_cell("# Title\n<!-- cost -->\n<!-- /cost -->")
    parameters = new_code_cell('out_dir: str = ""\nn: int = 1', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    return new_notebook(cells=[title, parameters, *map(new_code_cell, code)], metadata=kernel)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with notebooks/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


def test_a_play_collects_results_and_can_be_stored(shelf: Path) -> None:
    nbformat.write(book("print(n)", WRITE), shelf / "task5.ipynb")
    assert headless.available() == ["task5"]
    done = play("5")
    assert (done.error, done.results["ours"]) == (None, 0.75)
    store(done)
    stored = nbformat.read(shelf / "task5.ipynb", as_version=4)
    assert "512" not in stored.cells[0].source
    assert "0.5 GB of memory" in stored.cells[0].source
    assert [c.execution_count for c in stored.cells if c.cell_type == "code"] == [1, 2, 3]
    assert "papermill" not in json.dumps(stored)
    store(play("5"))  # storing is idempotent
    assert nbformat.read(shelf / "task5.ipynb", as_version=4).cells[1:] == stored.cells[1:]


def test_download_notices_are_not_stored_but_warnings_are(shelf: Path) -> None:
    notice = "print('fetching minilm-l6 (84 MB, once)')"
    both = f"print(1); {notice}; print(2)"
    nbformat.write(book(notice, both, "import sys; print('beware', file=sys.stderr)", WRITE), shelf / "task5.ipynb")
    store(play("5"))
    stored = nbformat.read(shelf / "task5.ipynb", as_version=4).cells
    assert [[output.text for output in cell.outputs] for cell in stored[2:5]] == [[], ["1\n2\n"], ["beware\n"]]


def test_parameters_and_output_folder_reach_the_notebook(shelf: Path, tmp_path: Path) -> None:
    nbformat.write(book("print('n is', n)", WRITE), shelf / "task5.ipynb")
    done = play("task5", tmp_path / "elsewhere", {"n": 5})
    assert done.results is not None
    assert "n is 5" in done.notebook.read_text()
    with pytest.raises(NeoaiError, match="other parameters"):
        store(done)


def test_a_failing_notebook_is_told_not_raised(shelf: Path) -> None:
    nbformat.write(book(WRITE, "1 / 0"), shelf / "task5.ipynb")
    done = play("task5")
    assert done.results is None
    assert "ZeroDivisionError: division by zero" in done.error
    assert "ZeroDivisionError" in done.notebook.read_text()
    with pytest.raises(NeoaiError, match="failed"):
        store(done)


def test_a_dead_kernel_is_told(shelf: Path) -> None:
    nbformat.write(book("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), shelf / "task5.ipynb")
    assert "kernel died" in play("task5").error


def test_old_results_never_pass_for_new_ones(shelf: Path) -> None:
    nbformat.write(book(WRITE), shelf / "task5.ipynb")
    play("task5")
    nbformat.write(book("1 / 0"), shelf / "task5.ipynb")
    done = play("task5")
    assert done.results is None
    assert not (done.folder / "results.json").exists()


def test_three_floods_at_once_pass(shelf: Path, tmp_path: Path) -> None:
    flood = "import sys\nfor i in range(5000): print('line', i, file=sys.stderr)"
    nbformat.write(book(flood, flood, WRITE), shelf / "task5.ipynb")
    done: list[Play] = []
    runs = [threading.Thread(target=lambda k=k: done.append(play("task5", tmp_path / str(k)))) for k in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
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
    done = list(headless.play_all(["task5", "task7"], tmp_path / "elsewhere", {}, jobs=2))
    assert {d.task: d.error for d in done} == {"task5": None, "task7": None}


def test_missing_and_unknown_notebooks(shelf: Path) -> None:
    with pytest.raises(DataError, match="task5.ipynb does not exist; notebooks found: none"):
        play("task5")
    with pytest.raises(UnknownTaskError):
        play("task55")


def test_sections_change_only_between_their_markers() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb"
    new = update_section(text, "x", "1\n2")
    assert new == "a\n<!-- x -->\n1\n2\n<!-- /x -->\nb"
    assert update_section(new, "x", "1\n2") == new
    assert update_section("<!-- x -->\n<!-- /x -->", "x", "1") == "<!-- x -->\n1\n<!-- /x -->"
    assert update_section(text, "y", "1") == text


def test_the_score_table_of_the_readme() -> None:
    rows = scores_markdown(
        [Play("task5", Path("o"), 61.4, RESULTS), Play("task7", Path("o"), 1.0, None, "boom")]
    ).splitlines()
    assert len(rows) == 3
    assert "| 0.100 | 0.500 | **0.750** | 0.900 | 81% | 61 | 0.5 GB |" in rows[2]


def test_a_partial_run_rewrites_its_own_rows_only() -> None:
    both = [Play("task5", Path("o"), 61.4, RESULTS), Play("task7", Path("o"), 7.0, RESULTS)]
    text = update_scores("a\n<!-- scores -->\n<!-- /scores -->\nb", both)
    assert scores_markdown(both) in text
    again = update_scores(text, [Play("task7", Path("o"), 9.0, RESULTS | {"ours": 0.8})])
    changed = [new for old, new in zip(text.splitlines(), again.splitlines(), strict=True) if old != new]
    assert len(changed) == 1
    assert "**0.800**" in changed[0]
    assert update_scores(text, []) == update_scores(text, [Play("task7", Path("o"), 1.0, None, "boom")]) == text
    assert update_scores("no markers", both) == "no markers"


SCORE = st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(*[SCORE] * 5)
def test_scores_are_read_as_the_summary_prints_them(base, published, ours, ceiling, recovered) -> None:
    scores = {"baseline": base, "published": published, "ours": ours, "ceiling": ceiling}
    lines = {name: {"score": score, "recovered": recovered} for name, score in scores.items()}
    printed = str(pd.DataFrame.from_dict(lines, orient="index").astype(float).round(3))
    output = new_output("execute_result", {"text/plain": printed})
    found = read_scores(new_notebook(cells=[new_code_cell("workspace.summary()", outputs=[output])]))
    for name, value in (scores | {"recovered": recovered}).items():
        assert found[name] == (None if value is None else pytest.approx(value, rel=1e-4, abs=1e-3)), printed


def test_a_notebook_without_summary_has_no_scores() -> None:
    assert set(read_scores(book("print(1)")).values()) == {None}


def test_the_tag_of_the_gallery_s_figure_is_stored(shelf: Path) -> None:
    tagged = book(WRITE)
    tagged.cells[2].metadata["tags"] = ["nbsphinx-thumbnail", "mine"]
    nbformat.write(tagged, shelf / "task5.ipynb")
    store(play("5"))
    assert nbformat.read(shelf / "task5.ipynb", as_version=4).cells[2].metadata == {"tags": ["nbsphinx-thumbnail"]}
