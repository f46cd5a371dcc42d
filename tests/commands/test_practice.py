"""Practice notebooks, made from stories, and the ranking of a class."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from neoai_utils.commands import practice, ranking
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, NeoaiError
from neoai_utils.miniatures import build_miniature
from tests.commands.small import command

SUMMARY = """\
           score  error  recovered
baseline   0.200   0.01   0.000
ours       0.900   0.01   0.875
ceiling    1.000          1.000"""
PRINTED = """\
a good idea (1): validation 0.5 ± 0.1, score 0.640 ± 0.020
plain, longer: score 0.900
plain: validation 0.700, score 0.710
odd: validation 0.720
"""
STORY = [
    new_markdown_cell(
        "# Task 5 · Broken\n\n<!-- badges -->\nx\n<!-- /badges -->\n\n**The problem.** Mend it.\n\nMore."
    ),
    new_code_cell("x = 1", outputs=[new_output("stream", text="1\n")], execution_count=1),
    new_code_cell("record()", metadata={"tags": ["baseline"]}),
    new_markdown_cell("Intro.\n\n<!-- hint: a good idea -->\n**Think** of it:\n\n- a list\n- of two\n\nNot this."),
    new_code_cell(
        "play()",
        outputs=[
            new_output("stream", text=PRINTED),
            new_output("execute_result", data={"text/plain": SUMMARY}),
        ],
    ),
    new_markdown_cell(
        "<!-- hint: plain -->\nExactly.\n\n<!-- hint: odd -->\nNo score.\n\n<!-- hint: absent -->\nNo figure."
    ),
]


@pytest.fixture
def made(shelf: Path) -> nbformat.NotebookNode:
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    nbformat.write(new_notebook(cells=STORY, metadata=kernel), shelf / "task5.ipynb")
    return practice.make("task5")


def test_the_story_is_copied_up_to_the_baseline_without_outputs(made) -> None:
    assert [cell.source for cell in made.cells[1:3]] == ["x = 1", "record()"]
    assert all(not cell.get("outputs") for cell in made.cells)
    assert "play()" not in [cell.source for cell in made.cells]
    nbformat.validate(made)


def test_the_title_tells_the_problem_the_files_and_the_metric(made) -> None:
    first = made.cells[0].source
    assert first.startswith("# Practice · Task 5 · Broken\n\n**The problem.** Mend it.\n")
    assert "`val_dataset.csv`, `test.csv`" in first
    assert "accuracy; higher is better" in first
    assert "badges" not in first
    assert "More." not in first


def test_hints_are_folded_and_tell_what_the_idea_scored(made) -> None:
    hints = [cell.source for cell in made.cells if cell.source.startswith("<details>")]
    assert [hint.splitlines()[0] for hint in hints] == [
        "<details><summary>Hint 1 (score 0.640 ± 0.020 by this idea)</summary>",
        "<details><summary>Hint 2 (score 0.710 by this idea)</summary>",
        "<details><summary>Hint 3 (validation 0.720 by this idea)</summary>",
        "<details><summary>Hint 4</summary>",
    ]
    assert "**Think** of it:\n\n- a list\n- of two\n\n</details>" in hints[0]


def test_known_scores_come_from_the_stored_summary(made) -> None:
    code = next(cell.source for cell in made.cells if "Attempts(" in cell.source)
    assert "{'baseline': 0.2, 'ours': 0.9, 'ceiling': 1.0}" in code


def test_a_story_without_the_tag_is_named(shelf: Path) -> None:
    nbformat.write(new_notebook(cells=STORY[:2]), shelf / "task5.ipynb")
    with pytest.raises(DataError, match="no cell with the tag 'baseline'"):
        practice.make("task5")


def test_a_folder_with_files_is_not_touched(made, fake_task, tmp_path: Path) -> None:
    written = practice.write("task5", tmp_path / "new")
    assert sorted(path.name for path in written.parent.iterdir()) == ["data", "practice.ipynb"]
    assert [path.name for path in (tmp_path / "new/data").iterdir()] == ["test.csv"]
    with pytest.raises(NeoaiError, match="holds files"):
        practice.write("task5", tmp_path / "new")
    with pytest.raises(NeoaiError, match="is a file"):
        practice.write("task5", written)


def test_all_are_written_or_none(made, fake_task, monkeypatch, capsys) -> None:
    nbformat.write(nbformat.read("notebooks/task5.ipynb", as_version=4), "notebooks/task7.ipynb")
    Path("practice/task7").mkdir(parents=True)
    Path("practice/task7/mine.txt").write_text("work")
    assert command(monkeypatch, "practice", "--all") == 1
    assert not Path("practice/task5").exists()
    Path("practice/task7/mine.txt").unlink()
    assert command(monkeypatch, "practice", "--all") == 0
    assert capsys.readouterr().out.split() == [
        "open",
        "practice/task5/practice.ipynb",
        "open",
        "practice/task7/practice.ipynb",
    ]


@pytest.mark.parametrize("words", [(), ("5", "--all")])
def test_a_task_or_all(monkeypatch, capsys, words) -> None:
    assert command(monkeypatch, "practice", *words) == 1
    assert "name a task, such as `neoai practice 7`" in capsys.readouterr().err


def answer(right: int) -> str:
    return pd.DataFrame({"id": range(10), "target": [i if i < right else -1.0 for i in range(10)]}).to_csv(index=False)


def test_a_class_is_ranked_and_bad_files_are_named(monkeypatch, capsys, fake_task, tmp_path: Path) -> None:
    """Fifteen good submissions, two of them equal, and five that cannot be graded."""
    monkeypatch.chdir(tmp_path)
    for number in range(15):
        Path(f"s{number:02d}.csv").write_text(answer(min(number, 9) if number < 14 else 8))
    bad = {"text": "hello", "empty": "", "short": "id,target\n0,0\n", "other": "a,b\n1,2\n", "twice": answer(3) * 2}
    for name, text in bad.items():
        Path(f"{name}.csv").write_text(text)
    files = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert command(monkeypatch, "score", "5", *files, "--table", "-o", "out") == 0
    printed = capsys.readouterr().out
    assert all(f"skipped  {name}.csv: " in printed for name in bad)
    table = pd.read_csv("out/ranking.csv")
    assert len(table) == 20
    assert table["place"].dropna().tolist() == [1, 1, 1, 1, 1, 6, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    assert table["score"].dropna().is_monotonic_decreasing
    assert table["refused"].notna().sum() == 5
    page = Path("out/ranking.html").read_text(encoding="utf-8")
    assert page.count("<tr>") == 16
    assert all(f"<strong>{name}.csv</strong>" in page for name in bad)


def test_several_files_need_a_folder_for_the_ranking(monkeypatch, capsys, fake_task) -> None:
    assert command(monkeypatch, "score", "5", "a.csv", "b.csv") == 1
    assert "add --table" in capsys.readouterr().err


def test_a_class_without_a_good_file_is_a_failure(monkeypatch, capsys, fake_task, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(monkeypatch, "score", "5", "absent.csv", "--table") == 1
    assert "skipped  absent.csv: " in capsys.readouterr().out


def test_an_error_s_best_is_the_lowest(fake_task, tmp_path: Path) -> None:
    """Task 1's metric is an error."""
    for name, right in (("few", 2), ("many", 8)):
        (tmp_path / f"{name}.csv").write_text(answer(right))
    files = [tmp_path / "few.csv", tmp_path / "many.csv"]
    found = ranking.rank("task1", files, build_miniature("task1", 0))
    assert not COMPETITIONS["task1"].higher_is_better
    assert [Path(name).stem for name in found.grades] == ["few", "many"]
