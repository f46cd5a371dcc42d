"""Scores on several miniatures: played by the sweep, kept, and shown as means."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from neoai_utils.commands import seeds
from neoai_utils.commands.run import Run
from neoai_utils.errors import NeoaiError
from tests.commands.small import RESULTS

PARAMETERS = 'out_dir: str = ""\nminiature_seed: int = 0'
WRITE = f"""
import json, pathlib
pathlib.Path("played.txt").open("a").write(f"{{miniature_seed}} ")
if miniature_seed == 3:
    raise ValueError("three is bad")
results = {RESULTS!r} | {{"rows": [], "ours": miniature_seed / 10}}
pathlib.Path(out_dir, "results.json").write_text(json.dumps(results))
"""


@pytest.fixture
def notebook(shelf: Path) -> Path:
    """Write a notebook whose score is a tenth of its miniature's seed; return the repository."""
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(WRITE)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), shelf / "task5.ipynb")
    return shelf.parent


def scores(folder: Path) -> list[float]:
    return [run.results["ours"] for run in seeds.play("task5", 3, folder) if run.results]


def test_other_miniatures_are_played_in_order_and_never_taken_from_an_earlier_call(notebook: Path) -> None:
    assert scores(notebook / "outputs") == [0.1, 0.2]
    assert scores(notebook / "outputs") == [0.1, 0.2]
    played = sorted(path.read_text() for path in notebook.rglob("played.txt"))
    assert sum(map(len, (text.split() for text in played))) == 4
    assert seeds.play("task5", 1, notebook / "outputs") == []


def test_a_failed_play_is_an_error(notebook: Path) -> None:
    with pytest.raises(NeoaiError, match="task5 failed on another miniature: .*three is bad"):
        seeds.play("task5", 4, notebook / "outputs")


def test_what_is_kept_is_read_and_other_tasks_stay(tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    assert seeds.read(tmp_path) == {}
    for task, first in (("task7", 0.7), ("task5", 0.5), ("task7", 0.8)):
        runs = [Run(task, tmp_path, 1.0, RESULTS | {"ours": ours}) for ours in (first, 0.6)]
        seeds.keep(task, runs, tmp_path)
    found = seeds.read(tmp_path)
    assert list(found) == ["task5", "task7"]
    assert [found[task]["ours"] for task in found] == [[0.5, 0.6], [0.8, 0.6]]


def test_several_scores_have_a_standard_deviation() -> None:
    assert seeds.mean_text([0.7, 0.8, 0.9]) == "0.800 ± 0.100"
    assert seeds.mean_text([0.5]) == "0.500"
    assert seeds.mean_text([]) == "–"
    record = {role: [0.25, 0.75] for role in seeds.ROLES}
    assert seeds.texts(record)["recovered"] == "50% ± 35%"
