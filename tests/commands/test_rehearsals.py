"""The costs at the competition's size, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neoai_utils.commands import notebooks, rehearsals
from neoai_utils.commands.imports import ROOT

RECORD = {
    "share": 0.06, "cores": 2, "cores_hours": 1.26, "cards_one": 0.2, "cards_two": 0.001, "resident_gb": 3.46,
    "announced": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.0, "1 min"), (0.2, "12 min"), (1.6, "96 min"), (1.7, "1.7 h"), (9.94, "9.9 h"), (30.4, "30 h")],
)
def test_times_in_words(hours: float, text: str) -> None:
    assert rehearsals.duration(hours) == text


def test_the_line_of_a_notebook() -> None:
    line = rehearsals.sentence("task7", {"task7": RECORD})
    assert "about 76 min on 2 CPU cores, predicted 12 min with a T4, 1 min with two · 3.5 GB" in line
    assert rehearsals.sentence("task1", {"task7": RECORD}) == ""
    announced = rehearsals.sentence("task7", {"task7": RECORD | {"announced": True}})
    assert announced.endswith("3.5 GB without its longest work"), "that was timed and not played"


def test_the_table_of_the_readme() -> None:
    head, _, row = rehearsals.markdown({"task7": RECORD}).splitlines()
    assert head.startswith("| task | 2 CPU cores | one T4 | two T4s |")
    assert row == "| 7 · Cuties segmentation | 76 min | 12 min | 1 min | 3.5 GB | 6.0% |"


def test_without_a_record_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert rehearsals.read(tmp_path) == {}
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks/rehearsed.json").write_text(json.dumps({"task7": RECORD}))
    assert rehearsals.read(tmp_path) == {"task7": RECORD}


@pytest.mark.parametrize("task", notebooks.available())
def test_notebook_and_readme_say_what_is_on_record(task: str) -> None:
    """Whoever rehearses anew runs `neoai address`, which writes the new figures everywhere."""
    records = rehearsals.read()
    assert rehearsals.sentence(task, records) in notebooks.read(notebooks.find_notebook(task)).cells[0].source
    assert rehearsals.markdown(records) in (ROOT / "README.md").read_text(encoding="utf-8")
