"""Practice notebooks: played to their end, with the baseline graded; their hints tell scores."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from neoai_utils.commands import notebooks, practice, report
from neoai_utils.commands import run as runs
from tests.notebooks.conftest import said

TASKS = notebooks.available()
IDEAS = {
    "task4": (
        "+ scaled as the network expects",
        """
network_of_mine = embedding.open_network(network, runtime.pick_device(quiet=True), competition=False)
scaled = (pictures.scaled(batch) for batch in pictures.batches(factors.left, factors.right))
submission_of_mine = files.submission(once(unit(embedding.embed(network_of_mine, scaled))))
""",
    ),
    "task7": (
        "soft labels, ridge",
        """
layers = features.published_layers(len(clip.backbone.blocks))
cells, others = (features.concatenated(features.dense_features(clip.backbone, images, layers)) for images in (
    val_images, list(test_images)))
submission_of_mine = submission(selection.MaskProbe().fit(cells, val_masks).predict(others, sizes))
""",
    ),
}
"""Task -> a row that a hint names, and the code that a reader of the hint may write."""


@pytest.mark.story
@pytest.mark.parametrize("task", TASKS)
def test_a_practice_plays_to_its_end(task: str, tmp_path: Path, monkeypatch) -> None:
    """And a reader who follows a hint reaches the score that the hint names."""
    story = notebooks.read(notebooks.find_notebook(task))
    written = practice.write(task, tmp_path / "practice")
    row, code = IDEAS.get(task, ("", "# your idea\nsubmission_of_mine = None"))
    book = notebooks.read(written)
    turn = next(cell for cell in book.cells if cell.source.startswith("# your idea"))
    turn.source = code
    nbformat.write(book, written)
    monkeypatch.chdir(written.parent)
    target = tmp_path / f"{task}.ipynb"
    assert runs.execute(written, target, {"out_dir": str(tmp_path / "out")}) is None
    known = report.read_scores(story)["baseline"]
    assert known is not None
    graded = [float(text) for text in re.findall(r"\bscore (\d+\.\d+)", said(target))]
    assert any(value == pytest.approx(known, rel=0.5) for value in graded), "the baseline is graded"
    tables = [
        output.data["text/plain"]
        for cell in nbformat.read(target, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output and "whose" in output.data.get("text/plain", "")
    ]
    assert len(tables) == 2
    assert all(name in tables[-1] for name in ("baseline", "published", "ours", "ceiling"))
    if row:
        score, error = map(float, report.row_figure(row, story).removeprefix("score ").split(" ± "))
        reached = pd.read_csv("attempts.csv")["score"].item()
        assert reached == pytest.approx(score, abs=2 * error)


@pytest.mark.parametrize("task", TASKS)
def test_three_to_six_hints_tell_a_score(task: str) -> None:
    hints = [cell.source for cell in practice.make(task).cells if cell.source.startswith("<details>")]
    assert 3 <= len(hints) <= 6
    assert all(re.match(r"<details><summary>Hint \d \((score|validation) \d+\.\d+", hint) for hint in hints)
