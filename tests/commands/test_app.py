from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from neoai_utils.commands import app, badges, gallery, notebooks, report, seeds
from neoai_utils.commands import run as runs
from neoai_utils.commands.board import Board
from neoai_utils.commands.run import Run
from neoai_utils.errors import DataError
from tests.commands.small import command

GOOD = {
    "baseline": 0.1, "published": 0.5, "ours": 0.75, "ceiling": 0.9, "recovered": 0.8125,
    "peak_memory_mb": None, "metric": "accuracy",
}  # fmt: skip


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list:
    """Replace papermill by a list of the runs that would start; task7 fails."""
    calls: list = []

    def record(task: str, outputs: Path, values: dict, _board: Board) -> Run:
        calls.append((task, outputs, values))
        error = "cell 3: ValueError: bad" if task == "task7" else None
        return Run(task, outputs / task, 1.0, None if error else GOOD, error)

    monkeypatch.setattr(runs, "run", record)
    monkeypatch.setattr(gallery, "build", lambda outputs: outputs / "index.html")
    monkeypatch.setattr(notebooks, "available", lambda: ["task5", "task7"])
    monkeypatch.setattr(notebooks, "find_notebook", lambda task: Path(f"{task}.ipynb"))
    monkeypatch.setattr(runs, "_stored_minutes", {"task5": 1, "task7": 9}.get)
    return calls


def test_one_line_per_notebook_and_a_table(monkeypatch, capsys, started) -> None:
    assert command(monkeypatch, "run", "5") == 0
    printed = capsys.readouterr().out
    assert "accuracy 0.750" in printed
    assert "81%" in printed
    assert started == [("task5", Path("outputs"), {})]


def test_one_failure_does_not_stop_the_rest(monkeypatch, capsys, started) -> None:
    assert command(monkeypatch, "run", "7", "5") == 1
    printed = capsys.readouterr().out
    assert "failed: cell 3: ValueError: bad" in printed
    assert "accuracy 0.750" in printed


def test_quick_plays_only_what_the_choice_needs(monkeypatch, started) -> None:
    monkeypatch.setattr(notebooks, "typed", lambda _path, texts: {name: list(values) for name, values in texts.items()})
    assert command(monkeypatch, "run", "5", "--quick") == 0
    assert started == [("task5", Path("outputs"), {"ladder": False})]


@pytest.mark.parametrize("words", [("--quick",), ("-p", "n", "5")])
def test_only_the_defaults_are_stored(monkeypatch, capsys, started, words) -> None:
    assert command(monkeypatch, "run", "5", "--store", *words) == 1
    assert "--store stores what a notebook's defaults give" in capsys.readouterr().err
    assert started == []


def test_a_run_that_is_stopped_says_how_to_go_on(monkeypatch, capsys, started) -> None:
    def stopped(*_):
        yield Run("task5", Path("outputs/task5"), 1.0, GOOD)
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run_all", stopped)
    assert command(monkeypatch, "run", "5", "7") == 130
    assert "in outputs/. To go on, give the same command for the tasks that are left: 7" in capsys.readouterr().out


def test_without_a_number_all_are_run(monkeypatch, started) -> None:
    command(monkeypatch, "run", "-j", "1")
    assert [task for task, *_ in started] == ["task5", "task7"]


def test_the_longest_starts_first_where_several_run_at_once(monkeypatch, capsys, started) -> None:
    command(monkeypatch, "run", "-j", "2")
    assert [task for task, *_ in started] == ["task7", "task5"]
    table = capsys.readouterr().out.split("recovered =")[1]
    assert table.index("task5") < table.index("task7"), "the table keeps the tasks' order"


@pytest.mark.parametrize(("words", "jobs"), [((), 2), (("--store",), 1), (("5",), 1), (("5", "7", "5"), 2)])
def test_two_run_at_once_but_one_is_stored_alone(monkeypatch, started, words, jobs) -> None:
    monkeypatch.setattr(runs, "default_jobs", lambda: 2)
    jobs_given = []
    play_all = runs.run_all
    monkeypatch.setattr(runs, "run_all", lambda *given: jobs_given.append(given[3]) or play_all(*given))
    monkeypatch.setattr(app, "_store", lambda *_: None)
    command(monkeypatch, "run", *words)
    assert jobs_given == [jobs]
    assert sorted({task for task, *_ in started}) == [task for task, *_ in sorted(started)], "none is run twice"


def test_a_run_ends_with_the_gallery(monkeypatch, capsys, started) -> None:
    assert command(monkeypatch, "run", "5", "-o", "elsewhere") == 0
    assert capsys.readouterr().out.endswith("open elsewhere/index.html\n")


@pytest.mark.parametrize("fault", [OSError(28, "No space left"), KeyboardInterrupt(), KeyError("x"), DataError("bad")])
def test_a_gallery_that_fails_changes_nothing_for_the_command(monkeypatch, capsys, started, fault) -> None:
    def fail(outputs: Path) -> Path:
        raise fault

    monkeypatch.setattr(gallery, "build", fail)
    assert command(monkeypatch, "run", "5") == 0
    assert "the gallery was not built: " in capsys.readouterr().out
    assert command(monkeypatch, "run", "7") == 1
    assert "failed: cell 3: ValueError: bad" in capsys.readouterr().out


def test_the_gallery_command_says_what_is_wrong(monkeypatch, capsys, tmp_path: Path) -> None:
    monkeypatch.setattr(notebooks, "available", list)
    assert command(monkeypatch, "gallery", "-o", str(tmp_path)) == 1
    assert capsys.readouterr().err.startswith("neoai: no notebooks here")


def test_storing_rewrites_the_readme(monkeypatch, started, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("README.md").write_text("<!-- scores -->\n<!-- /scores -->\n", encoding="utf-8")
    monkeypatch.setattr(report, "store", lambda done: Path(f"{done.task}.ipynb"))
    drawn: list[Path] = []
    monkeypatch.setattr(report, "draw_overview", drawn.append)
    monkeypatch.setattr(badges, "renew", lambda: drawn.append(Path("notebooks")))
    other = Run("task5", Path("o"), 1.0, GOOD | {"ours": 0.85})
    monkeypatch.setattr(seeds, "play", lambda task, count, outputs: [other] * (count - 1))
    Path("benchmarks").mkdir()
    assert command(monkeypatch, "run", "5", "--store", "--miniatures", "2") == 0
    assert "**0.800 ± 0.071**" in Path("README.md").read_text(encoding="utf-8")
    assert drawn == [Path("notebooks"), Path(".github/overview.png")]


@pytest.mark.parametrize("words", [("5", "7"), (" Task5 ", "task7")])
def test_tasks_are_resolved_to_their_names(monkeypatch, started, words) -> None:
    command(monkeypatch, "run", "-j", "1", *words)
    assert [task for task, *_ in started] == ["task5", "task7"]


@pytest.mark.parametrize("words", [["run", "tsak5"], ["sweep", "tsak5", "-p", "n", "1"], ["score", "tsak5", "x.csv"],
                                   ["miniature", "tsak5", "x"], ["bundle", "tsak5"]])  # fmt: skip
def test_every_command_suggests_the_closest_task(monkeypatch, capsys, words) -> None:
    assert command(monkeypatch, *words) == 1
    assert capsys.readouterr().err == "neoai: unknown task 'tsak5': did you mean task5?\n"


@pytest.fixture
def declaring(monkeypatch, started, tmp_path: Path) -> list:
    """Give both tasks a notebook that declares parameters; task 7 has no mode."""
    cell = "threshold: float = None  # a = b\ndata_dir: str = ''\nflip: bool = False\n"
    for task, source in (("task5", cell + "mode: str = 'exact'"), ("task7", cell)):
        parameters = new_code_cell(source, metadata={"tags": ["parameters"]})
        nbformat.write(new_notebook(cells=[new_code_cell("x = 1"), parameters]), tmp_path / f"{task}.ipynb")
    monkeypatch.setattr(notebooks, "find_notebook", lambda task: tmp_path / f"{task}.ipynb")
    return started


def test_parameters_are_written_as_for_papermill_and_read_as_declared(monkeypatch, declaring) -> None:
    command(monkeypatch, "run", "5", "-p", "threshold", "1e-3", "--parameter", "data_dir=2025", "-p", "flip", "True")
    assert declaring[0][2] == {"threshold": 0.001, "data_dir": "2025", "flip": True}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "treshold", "1"], "task5: unknown parameter 'treshold': did you mean threshold?"),
        (["-p", "mode", "fast"], "task7: unknown parameter 'mode'"),
        (["-p", "threshold", "high"], "threshold must be a number (float), got 'high'"),
    ],
)
def test_a_mistyped_parameter_is_an_error_before_anything_runs(monkeypatch, capsys, declaring, words, message) -> None:
    assert command(monkeypatch, "run", "5", "7", *words) == 1
    assert message in capsys.readouterr().err
    assert declaring == []


def test_a_notebook_without_the_tag_takes_no_parameters(monkeypatch, capsys, declaring, tmp_path: Path) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell("threshold: float = None")]), tmp_path / "task5.ipynb")
    assert command(monkeypatch, "run", "5", "-p", "threshold", "0.4") == 1
    assert "no cell has the tag `parameters`" in capsys.readouterr().err
    assert declaring == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "9"], "unknown task '9'"),
        (["run", "5", "-p", "threshold"], "write -p NAME VALUE"),
        (["score", "task55", "x.csv"], "did you mean task5"),
    ],
)
def test_errors_are_one_line(monkeypatch, capsys, words, message) -> None:
    assert command(monkeypatch, *words) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("neoai: ")
    assert message in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize("words", [("miniature", "5", "mini"), ("score", "5", "s.csv")])
def test_a_difficulty_is_part_of_the_miniatures_recipe(monkeypatch, capsys, fake_task, words) -> None:
    assert command(monkeypatch, *words, "--difficulty", "kind") == 1
    assert "the miniature of task5 has no difficulty to set" in capsys.readouterr().err


def test_miniature_and_score_work_together(monkeypatch, capsys, fake_task, tmp_path: Path) -> None:
    assert command(monkeypatch, "miniature", "5", str(tmp_path / "mini")) == 0
    assert (tmp_path / "mini/data/test.csv").is_file()
    assert (tmp_path / "mini/answers/answers.json").is_file()
    pd.DataFrame({"id": range(10), "target": [0.0] * 10}).to_csv(tmp_path / "s.csv", index=False)
    assert command(monkeypatch, "score", "5", str(tmp_path / "s.csv")) == 0
    assert "score                0.1000" in capsys.readouterr().out
    assert command(monkeypatch, "miniature", "5", str(tmp_path / "mini")) == 1
    assert "is not empty" in capsys.readouterr().err
    assert command(monkeypatch, "score", "5", str(tmp_path / "absent.csv")) == 1
