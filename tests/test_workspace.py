import json
import shutil
from pathlib import Path

import httpx
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from neoai_utils import discovery, runtime, storage, workspace
from neoai_utils.commands.report import read_scores
from neoai_utils.errors import AssetError, DataError, NeoaiError, ParameterError, SubmissionError, UnknownTaskError
from neoai_utils.miniatures import build_miniature
from neoai_utils.scores import Grades
from neoai_utils.workspace import MINIATURE_THREADS, open_workspace


def right(factor: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"id": range(10), "target": [i * factor for i in range(10)]})


def test_without_files_the_miniature_is_built_once(fake_task, tmp_path: Path) -> None:
    first = open_workspace("task5", out_dir=tmp_path / "out")
    second = open_workspace("task5", out_dir=tmp_path / "out")
    assert (first.data, first.ceiling) == ("miniature", 1.0)
    assert first.data_dir == second.data_dir
    assert fake_task.builds == 1
    assert first.grade(right()).score == 1.0


def test_given_files_are_the_competition(fake_task, tmp_path: Path) -> None:
    right().drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    opened = open_workspace("task5", tmp_path, tmp_path / "out")
    assert (opened.data, opened.ceiling, fake_task.builds) == ("competition", None, 0)
    assert opened.grade(right()) is None


def test_the_number_of_threads_is_fixed_on_the_miniature_alone(fake_task, tmp_path: Path, monkeypatch) -> None:
    fixed: list[int] = []
    monkeypatch.setattr(runtime, "fix_threads", fixed.append)
    pd.DataFrame({"id": range(10)}).to_csv(tmp_path / "test.csv", index=False)
    open_workspace("task4", tmp_path, tmp_path / "out")
    assert fixed == []
    open_workspace("task4", out_dir=tmp_path / "out")
    assert fixed == [MINIATURE_THREADS]


def test_the_folder_inside_the_archive_will_do(fake_task, tmp_path: Path) -> None:
    fake_task.files.REQUIRED = ("cuties/val", "cuties/test.csv")
    (tmp_path / "cuties" / "val").mkdir(parents=True)
    right().to_csv(tmp_path / "cuties" / "test.csv", index=False)
    for given in (tmp_path, tmp_path / "cuties"):
        assert open_workspace("task5", given, tmp_path / "out").data_dir == tmp_path
    with pytest.raises(DataError, match="has no cuties/val"):
        open_workspace("task5", tmp_path / "cuties" / "val", tmp_path / "out")


@pytest.mark.parametrize("mount", ["neoai-2025-broken-bert", "competitions/neoai-2025-broken-bert"])
def test_mounted_files_are_found(fake_task, tmp_path: Path, mount: str) -> None:
    folder = tmp_path / "kaggle-input" / mount
    folder.mkdir(parents=True)
    right().to_csv(folder / "test.csv", index=False)
    assert open_workspace("task5", out_dir=tmp_path / "out").data_dir == folder


@pytest.mark.parametrize("place", [".", "drive/MyDrive"])
def test_colab_keeps_files_in_the_session_or_on_a_drive(fake_task, tmp_path: Path, monkeypatch, place: str) -> None:
    monkeypatch.setattr(discovery, "_COLAB", tmp_path / "content")
    folder = tmp_path / "content" / place / "neoai-2025-broken-bert"
    folder.mkdir(parents=True)
    right().to_csv(folder / "test.csv", index=False)
    assert open_workspace("task5", out_dir=tmp_path / "out").data == "miniature"
    monkeypatch.setenv("COLAB_RELEASE_TAG", "x")
    assert open_workspace("task5", out_dir=tmp_path / "out").data_dir == folder


def test_a_folder_without_the_files_is_refused(fake_task, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("")
    with pytest.raises(DataError, match="has no test.csv; found there: train.csv"):
        open_workspace("task5", tmp_path, tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        open_workspace("task5", tmp_path / "absent", tmp_path)


def test_unknown_and_future_tasks(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTaskError, match="did you mean task5"):
        open_workspace("taks5", out_dir=tmp_path)


def test_grades_are_recorded_as_they_are(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task5", out_dir=tmp_path / "out")
    row = opened.record("five draws", Grades(0.25, {"f1": 0.5}), validation=Grades(0.75))
    assert (row.score, row.validation, row.extra) == (0.25, 0.75, {"f1": 0.5})


def test_submit_writes_both_files(fake_task, tmp_path: Path, capsys) -> None:
    opened = open_workspace("task5", out_dir=tmp_path / "out", seed=7)
    opened.ladder.add("zeros", score=0.1, role="baseline")
    opened.ladder.add("recipe", role="published", score=0.4)
    opened.ladder.add("stack", role="ours", seconds=2.0, validation=0.9)
    row = opened.submit(right())
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert (row.name, row.score, row.validation, row.extra) == ("stack", 1.0, 0.9, {"wrong": 0.0})
    assert (results["baseline"], results["published"], results["ours"], results["ceiling"]) == (0.1, 0.4, 1.0, 1.0)
    assert results["recovered"] == pytest.approx(1.0)
    assert results["seed"] == 7
    assert [r["name"] for r in results["rows"]] == ["zeros", "recipe", "stack"]
    assert results["submission_sha256"] == storage.sha256_of(tmp_path / "out/submission.csv")
    assert "10 rows; score 1.000, wrong 0.000; 100% of the headroom" in capsys.readouterr().out
    table = opened.summary()
    assert table.loc["published", "recovered"] == pytest.approx(1 / 3, abs=1e-3)


def test_submit_without_answers_says_so(fake_task, tmp_path: Path, capsys) -> None:
    right().drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    opened = open_workspace("task5", tmp_path, tmp_path / "out")
    opened.submit(right())
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert (results["ours"], results["recovered"], results["data"]) == (None, None, "competition")
    assert (
        "answers are not known here; on the leaderboard: baseline 0.36, published 0.42, best 0.44\n"
        in capsys.readouterr().out
    )


def test_without_answers_the_summary_tells_what_is_known(fake_task, tmp_path: Path) -> None:
    """There is no score, so no table of them: rows with what was measured, no column that is unknown everywhere."""
    right().drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    opened = open_workspace("task5", tmp_path, tmp_path / "out")
    assert str(opened.summary().index.tolist()) == "[]"
    opened.ladder.add("zeros", seconds=0.25, role="baseline")
    opened.ladder.add("an idea", validation=0.5)
    opened.submit(right())
    table = opened.summary()
    assert table.to_dict("index") == {
        "zeros": {"role": "baseline", "validation": "", "seconds": 0.25},
        "an idea": {"role": "", "validation": 0.5, "seconds": ""},
        "ours": {"role": "ours", "validation": "", "seconds": ""},
    }
    assert "nan" not in str(table).lower()
    opened = open_workspace("task5", tmp_path, tmp_path / "out")
    opened.ladder.add("zeros", seconds=0.25)
    assert opened.summary().to_dict("index") == {"zeros": {"seconds": 0.25}}
    shown = new_output("execute_result", {"text/plain": str(table)})
    assert set(read_scores(new_notebook(cells=[new_code_cell("", outputs=[shown])])).values()) == {None}


def test_a_wrong_submission_writes_nothing(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task5", out_dir=tmp_path / "out")
    with pytest.raises(SubmissionError, match="misses id 9"):
        opened.submit(right().head(9))
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_written_is_what_was_checked(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task5", out_dir=tmp_path / "out")
    opened.submit(right().astype(float).iloc[::-1])
    text = (tmp_path / "out/submission.csv").read_text()
    assert text.startswith("id,target\n9,9.0\n8,8.0\n")


def test_a_file_that_is_not_read_back_as_written_leaves_nothing(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task5", out_dir=tmp_path / "out")
    opened.submit(right())
    before = (tmp_path / "out/submission.csv").read_bytes()
    fake_task.files.parse_submission = lambda path: right(2.0)
    with pytest.raises(SubmissionError, match="does not keep the target of row 2"):
        opened.submit(right())
    assert (tmp_path / "out/submission.csv").read_bytes() == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["results.json", "submission.csv"]


def test_an_output_folder_that_cannot_be_made_is_named(fake_task, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NeoaiError, match="cannot create the folder"):
        open_workspace("task5", out_dir=tmp_path / "file" / "out")
    assert fake_task.builds == 0


def test_grade_file_reads_what_submit_wrote(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task5", out_dir=tmp_path)
    opened.submit(right())
    grades = workspace.grade_file("task5", tmp_path / "submission.csv", build_miniature("task5"))
    assert grades.score == 1.0


@pytest.mark.parametrize("spelled", ["{}", "{}.0", '"{}"', "0{}"])
def test_grade_file_takes_whole_numbers_however_they_are_written(fake_task, tmp_path: Path, spelled: str) -> None:
    rows = "".join(f"{spelled.format(i)},{i}\n" for i in reversed(range(10)))
    (tmp_path / "mine.csv").write_text("id,target\n" + rows)
    assert workspace.grade_file("task5", tmp_path / "mine.csv", build_miniature("task5")).score == 1.0


def late(cause: Exception) -> RuntimeError:
    """Return what a package raises that imports its parts late."""
    error = RuntimeError("Failed to import it because of the following error (look up to see its traceback):")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ModuleNotFoundError("No module named 'onnx'", name="onnx"), "(ModuleNotFoundError: No module named 'onnx')"),
        (ImportError("an incompatible torchao\nsecond line"), "(ImportError: an incompatible torchao)"),
        (AssetError("cannot fetch x: out of reach.\npip said: no"), "(AssetError: cannot fetch x: out of reach.)"),
        (NeoaiError("cannot create the folder /x"), "(NeoaiError: cannot create the folder /x)"),
        (OSError("couldn't connect to the hub"), "(OSError: couldn't connect to the hub)"),
        (ConnectionError(), "(ConnectionError)"),
        (httpx.ConnectError("no route"), "(ConnectError: no route)"),
        (late(ImportError("needs torchvision")), "(ImportError: needs torchvision)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_cannot_be_played_is_left_out_in_one_line(fake_task, tmp_path: Path, capsys, error, told: str) -> None:
    opened = open_workspace("task5", out_dir=tmp_path)
    capsys.readouterr()
    with opened.optional("LoRA"):
        raise error
    assert capsys.readouterr().out == f"Left out: LoRA {told}\n"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        AttributeError("wrong"),
        RuntimeError("wrong"),
        late(KeyError("wrong")),
        ImportError("wrong", name="neoai_utils.workspace"),
        DataError("wrong"),
        SubmissionError("wrong"),
        ParameterError("wrong"),
        KeyboardInterrupt("wrong"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_wrong_is_not_left_out(fake_task, tmp_path: Path, error) -> None:
    opened = open_workspace("task5", out_dir=tmp_path)
    with pytest.raises(type(error)), opened.optional("LoRA"):
        raise error


def test_what_can_be_played_says_nothing(fake_task, tmp_path: Path, capsys) -> None:
    opened = open_workspace("task5", out_dir=tmp_path)
    with opened.optional("LoRA"):
        opened.ladder.add("LoRA", score=1.0)
    assert len(opened.ladder) == 1
    assert capsys.readouterr().out == ""


def test_answers_do_not_matter_until_grading(fake_task, tmp_path: Path) -> None:
    folder = build_miniature("task5")
    alone = tmp_path / "data"
    shutil.copytree(folder / "data", alone)
    assert open_workspace("task5", alone, tmp_path / "out").answers_dir is None
