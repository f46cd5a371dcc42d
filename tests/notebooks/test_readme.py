"""What the last stored run wrote into the README and the title cells, against what the notebooks print."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import report, seeds
from neoai_utils.commands.run import Run
from neoai_utils.competitions import COMPETITIONS

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
REMEDY = "run `neoai run N --store` for the task that changed"


def stored(task: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{task}.ipynb", as_version=4)


def row(task: str) -> str:
    """Return the README's row of a task."""
    section = re.search(r"<!-- scores -->\n(.*?)\n<!-- /scores -->", README, re.DOTALL)
    assert section, "the README has lost its markers"
    lines = section[1].splitlines()
    assert len(lines) == 2 + len(COMPETITIONS), REMEDY
    return next(line for line in lines if f"(notebooks/{task}.ipynb)" in line)


def cost(book: nbformat.NotebookNode) -> re.Match[str]:
    """Return the minutes, cores and memory that a title cell names."""
    found = re.search(
        r"<!-- cost -->\n\*\*Cost:\*\* about (\d+) min on (\d+) CPU cores · (\d+\.\d) GB of memory "
        r"\(measured by the last stored run\)\n<!-- /cost -->",
        book.cells[0].source,
    )
    assert found, f"the title cell's cost line is not as the run writes it: {REMEDY}"
    return found


@pytest.mark.parametrize("task", COMPETITIONS)
def test_the_score_table_says_what_the_notebook_printed(task: str) -> None:
    book = stored(task)
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    shares = re.findall(r"^submission\.csv: .* (-?\d+)% of the headroom recovered$", printed, re.MULTILINE)
    seconds = re.findall(r"\| (\d+) \|", row(task))
    assert len(shares) == len(seconds) == 1
    recovered, memory = int(shares[0]) / 100, float(cost(book)[3]) * 1024
    results = report.read_scores(book) | {"recovered": recovered, "peak_memory_mb": memory}
    expected = report.scores_markdown([Run(task, ROOT, float(seconds[0]), results)], seeds.read()).splitlines()
    assert row(task) == expected[2], REMEDY
    assert expected[0] in README


@pytest.mark.parametrize("task", COMPETITIONS)
def test_the_first_of_the_kept_scores_are_those_of_the_stored_notebook(task: str) -> None:
    printed = report.read_scores(stored(task))
    kept = {role: values[0] for role, values in seeds.read()[task].items()}
    assert kept == pytest.approx(printed, abs=0.002), REMEDY


@pytest.mark.parametrize("task", COMPETITIONS)
def test_the_time_in_the_title_is_that_of_the_table(task: str) -> None:
    """Minutes were rounded from seconds that the table rounds too; memory is compared with the row above."""
    seconds = int(re.findall(r"\| (\d+) \|", row(task))[0])
    minutes = {max(1, round((seconds + half) / 60)) for half in (-0.5, 0, 0.5)}
    assert int(cost(stored(task))[1]) in minutes, REMEDY


@pytest.mark.parametrize("task", COMPETITIONS)
def test_at_most_one_figure_is_chosen_for_the_gallery(task: str) -> None:
    chosen = [cell for cell in stored(task).cells if "nbsphinx-thumbnail" in cell.metadata.get("tags", [])]
    assert len(chosen) <= 1
    assert all(any("image/png" in output.get("data", {}) for output in cell.outputs) for cell in chosen)
