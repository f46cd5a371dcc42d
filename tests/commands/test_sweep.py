"""Sweeps over small notebooks made by the tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager, nullcontext
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from neoai_utils.commands import app, sweep
from neoai_utils.commands import run as runs
from neoai_utils.errors import DataError, NeoaiError
from tests.commands import small

PARAMETERS = """data_dir: str = ""  # folder
out_dir: str = ""  # folder = where outputs go
n: int = 1  # a number
threshold: float = None  # None: chosen
flip: bool = True
mode: str = "fast"
"""
# Writes results.json, and a line into runs.txt beside the sweep, so that tests can count runs.
WRITE = """
import json, os, pathlib, time
folder = pathlib.Path(out_dir)
top = folder.parents[4]
with open(top / "runs.txt", "a") as runs:
    runs.write(f"{n} {os.getppid()}\\n")
while (top / f"wait-{n}").exists():
    time.sleep(0.05)
if n == 13:
    raise ValueError("thirteen\\nis bad")
score = n / 10 + (threshold or 0)
rows = [{"name": "final", "role": "ours", "score": score, "validation": score / 2}]
(folder / "results.json").write_text(json.dumps(
    {"rows": rows, "baseline": 0.1, "published": 0.5, "ours": score, "ceiling": 0.9, "recovered": 0.5, "metric": "m"}))
"""


def book(code: str = WRITE) -> nbformat.NotebookNode:
    cells = [new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}), new_code_cell(code)]
    return new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    )


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with notebooks/task5.ipynb."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    nbformat.write(book(), tmp_path / "notebooks/task5.ipynb")
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    return small.command(monkeypatch, "sweep", *words)


def started(shelf: Path) -> list[int]:
    """Return the `n` of every run that began, in order."""
    path = shelf / "runs.txt"
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def read(shelf: Path) -> pd.DataFrame:
    return pd.read_csv(shelf / "outputs/sweeps/task5/sweep.csv")


def test_a_grid_leaves_a_table_a_picture_and_the_notebooks_and_is_not_run_twice(shelf, monkeypatch, capsys) -> None:
    words = ("task5", "--jobs", "2", "-p", "threshold", "0.2", "None", "-p", "n", "1", "2")
    assert command(monkeypatch, *words) == 0
    frame = read(shelf)
    assert list(frame["n"]) == [1, 2, 1, 2]
    assert frame["ours"].round(3).tolist() == [0.3, 0.4, 0.1, 0.2]
    assert frame["validation"].round(3).tolist() == [0.15, 0.2, 0.05, 0.1]
    assert frame["error"].isna().all()
    assert (frame["seconds"] > 0).all()
    for name in frame["notebook"]:
        assert "injected-parameters" in (shelf / "outputs/sweeps/task5" / name).read_text()
    assert (shelf / "outputs/sweeps/task5/sweep.png").read_bytes().startswith(b"\x89PNG")
    assert "4/4" in capsys.readouterr().out
    assert sorted(started(shelf)) == [1, 1, 2, 2]

    assert command(monkeypatch, *words) == 0
    assert "4 points, 4 of them finished before" in capsys.readouterr().out
    assert command(monkeypatch, *words, "--backend", "dask", "--scheduler", "tcp://127.0.0.1:9") == 0  # nothing to do
    capsys.readouterr()
    assert command(monkeypatch, "5", "-p", "n", "2", "3", "-p", "threshold", "0.20") == 0  # order is no difference
    assert "2 points, 1 of them finished before" in capsys.readouterr().out
    assert sorted(started(shelf)) == [1, 1, 2, 2, 3]


def test_other_code_makes_another_point_but_prose_and_stored_outputs_do_not(shelf) -> None:
    first = sweep.plan("task5", {"n": ["1"]})
    changed = book()
    changed.cells[1].outputs = [nbformat.v4.new_output("stream", text="old")]
    changed.cells[1].execution_count = 7
    changed.cells.insert(0, new_markdown_cell("about 2 min"))
    nbformat.write(changed, shelf / "notebooks/task5.ipynb")
    assert sweep.plan("task5", {"n": ["1"]}).points == first.points
    nbformat.write(book(WRITE + "# more"), shelf / "notebooks/task5.ipynb")
    assert sweep.plan("task5", {"n": ["1"]}).points[0].folder != first.points[0].folder


def test_a_failed_point_stops_nothing_and_is_run_again(shelf, monkeypatch, capsys) -> None:
    assert command(monkeypatch, "5", "-p", "n", "13", "2") == 1
    printed = capsys.readouterr().out
    assert "1 of 2 points failed" in printed
    frame = read(shelf)
    assert frame["error"][0] == "cell 3: ValueError: thirteen is bad"
    assert frame["ours"].tolist()[1] == 0.2
    assert "ValueError" in (shelf / "outputs/sweeps/task5" / frame["notebook"][0]).read_text()
    assert command(monkeypatch, "5", "-p", "n", "13", "2") == 1
    assert started(shelf) == [13, 2, 13]


def test_a_notebook_without_results_and_trouble_outside_the_notebook_are_failures(shelf, monkeypatch) -> None:
    nbformat.write(book("pass"), shelf / "notebooks/task5.ipynb")
    plan = sweep.plan("task5", {"n": ["1"]})
    ((_, done),) = sweep.run(plan)
    assert done.error == "the notebook wrote no readable results.json"

    def explode(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs, "execute", explode)
    ((_, done),) = sweep.run(plan)
    assert "No space left on device" in done.error
    assert sweep.finished(plan) == []


def test_a_damaged_record_is_run_again(shelf) -> None:
    plan = sweep.plan("task5", {"n": ["1"]})
    list(sweep.run(plan))
    assert len(sweep.finished(plan)) == 1
    (plan.points[0].folder / "results.json").write_text('{"ours": 0.')
    assert sweep.finished(plan) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "treshold", "0.2"], "unknown parameter 'treshold': did you mean threshold?"),
        (["-p", "threshold", "0.2", "high"], "threshold must be a number (float), got 'high'"),
        (["-p", "n", "1", "1.5"], "n must be a whole number (int), got '1.5'"),
        (["-p", "flip", "1"], "flip must be True or False (bool), got '1'"),
        (["-p", "n"], "write -p NAME VALUE"),
        (["-p", "out_dir", "a"], "out_dir follows from the output folder; give --outputs"),
        ([], "a sweep needs a parameter"),
        (["-p", "n", "1", "--backend", "dask"], "belong together"),
        (["-p", "n", "1", "--scheduler", "tcp://x:1"], "belong together"),
    ],
)
def test_mistakes_are_errors_before_anything_runs(shelf, monkeypatch, capsys, words, message) -> None:
    assert command(monkeypatch, "5", *words) == 1
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert not (shelf / "outputs").exists()


def test_values_have_the_declared_types(shelf) -> None:
    words = ["sweep", "5", "-p", "n", "-1", "2", "--parameter", "mode", "two words", "1", "-p", "flip=true", "-j", "2"]
    joined = app._join_parameters(words)
    assert joined[:6] == ["sweep", "5", "-p", "n=-1", "-p", "n=2"]
    assert joined[-4:] == ["-p", "flip=true", "-j", "2"]
    grid = {"n": ["-1", "2"], "threshold": ["1", "1.0", "None"], "mode": ["1"], "flip": ["true"]}
    grids = [point.parameters for point in sweep.plan("task5", grid).points]
    assert [(p["n"], p["threshold"]) for p in grids] == [(-1, 1.0), (-1, None), (2, 1.0), (2, None)]
    assert all(p["mode"] == "1" and p["flip"] is True for p in grids)
    assert app._join_parameters(["run", "-p", "n", "1", "7"]) == ["run", "-p", "n=1", "7"]


def test_kernels_at_once_share_the_cores_and_the_users_choice_stands(monkeypatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with runs.shared_cores(1000):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    with runs.shared_cores(1):
        assert "OMP_NUM_THREADS" not in os.environ
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    with runs.shared_cores(1000):
        assert os.environ["OMP_NUM_THREADS"] == "3"


def test_two_sweeps_at_once_share_their_points(shelf) -> None:
    plan = sweep.plan("task5", {"n": ["1", "2"]})
    pairs: list = []
    both = [threading.Thread(target=lambda: pairs.append(list(sweep.run(plan)))) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert [done.error for ended in pairs for _, done in ended] == [None] * 4
    assert sorted(started(shelf)) == [1, 2]


def test_kill_in_the_middle_then_the_same_command(shelf, monkeypatch) -> None:
    words = ["5", "-p", "n", "1", "2", "3"]
    (shelf / "wait-2").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "neoai_utils.commands.app", "sweep", *words], stdout=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: started(shelf) == [1, 2])
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert list(read(shelf)["n"]) == [1]  # whole, with what was known
    (shelf / "wait-2").unlink()
    assert command(monkeypatch, *words) == 0
    assert read(shelf)["ours"].tolist() == [0.1, 0.2, 0.3]
    assert started(shelf) == [1, 2, 2, 3]
    left = [path.name for path in (shelf / "outputs").rglob("*") if ".part" in path.name or ".running." in path.name]
    assert left == []


def test_a_sweep_over_the_competitions_files_shows_the_validation_metric(shelf, monkeypatch) -> None:
    nbformat.write(book(WRITE.replace('"ours": score', '"ours": None')), shelf / "notebooks/task5.ipynb")
    plan = sweep.plan("task5", {"n": ["1"]})
    finished = [done for _, done in sweep.run(plan)]
    frame = sweep.write(plan, finished)
    assert frame["validation"].tolist() == [0.05]
    assert (plan.folder / "sweep.png").is_file()


@contextmanager
def dask(workers: int):
    """Start a Dask cluster of worker processes with one thread each."""
    distributed = pytest.importorskip("distributed", reason='Dask is not installed: pip install "neoai[cluster]"')
    with distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as started:
        yield started


@pytest.fixture
def cluster(shelf):
    with dask(2) as started:
        yield started


def test_a_cluster_of_one_thread_does_the_work_itself(shelf) -> None:
    with dask(1) as started:
        ((_, done),) = sweep.run(sweep.plan("task5", {"n": ["1"]}), scheduler=started.scheduler_address)
    assert done.error is None
    assert str(os.getpid()) not in (shelf / "runs.txt").read_text().split()


def test_a_cluster_that_loses_a_worker_loses_no_point(shelf, cluster, monkeypatch, capsys) -> None:
    (shelf / "wait-2").touch()
    status: list[int] = []
    words = ("5", "-p", "n", "1", "2", "3", "4", "--backend", "dask", "--scheduler", cluster.scheduler_address)

    def kill() -> None:
        wait_for(lambda: 2 in started(shelf))
        line = next(line for line in (shelf / "runs.txt").read_text().splitlines() if line.startswith("2 "))
        os.kill(int(line.split()[1]), signal.SIGKILL)  # the parent of the kernel: a worker
        (shelf / "wait-2").unlink()

    killer = threading.Thread(target=kill)
    killer.start()
    status.append(command(monkeypatch, *words))
    killer.join()
    assert status == [0]
    assert read(shelf)["ours"].round(3).tolist() == [0.1, 0.2, 0.3, 0.4]
    starts = started(shelf)
    assert starts.count(2) == 2
    assert sorted(set(starts)) == [1, 2, 3, 4]


def test_a_point_that_takes_every_worker_along_is_given_up(shelf, cluster) -> None:
    deadly = "import os, signal\nif n == 2:\n    os.kill(os.getppid(), signal.SIGKILL)\n" + WRITE
    nbformat.write(book(deadly), shelf / "notebooks/task5.ipynb")
    finished = {
        point.parameters["n"]: done
        for point, done in sweep.run(sweep.plan("task5", {"n": ["1", "2"]}), scheduler=cluster.scheduler_address)
    }
    assert finished[1].error is None
    assert "lost its worker" in finished[2].error


def test_no_cluster_answers(shelf, monkeypatch) -> None:
    pytest.importorskip("distributed", reason='Dask is not installed: pip install "neoai[cluster]"')
    monkeypatch.setattr(sweep, "_PATIENCE", 0.5)
    with pytest.raises(NeoaiError, match="no Dask cluster with a worker answers at 'tcp://127.0.0.1:9'"):
        list(sweep.run(sweep.plan("task5", {"n": ["1"]}), scheduler="tcp://127.0.0.1:9"))


def test_a_lost_scheduler_is_named(monkeypatch) -> None:
    monkeypatch.setattr(sweep, "_connect", lambda scheduler: nullcontext())
    monkeypatch.setattr(sweep, "_cluster", lambda client: "threading")
    with pytest.raises(NeoaiError, match="scheduler at tcp://x:1 was lost. Finished points are kept"):
        with sweep._backend(None, "tcp://x:1"):
            raise CancelledError


def test_dask_is_not_installed(shelf, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(NeoaiError, match="pip install"):
        list(sweep.run(sweep.plan("task5", {"n": ["1"]}), scheduler="tcp://127.0.0.1:9"))


def test_a_machine_that_does_not_see_the_folder_says_so(shelf) -> None:
    point = sweep.plan("task5", {"n": ["1"]}).points[0]
    _, done = sweep._run_point(point, "ticket")
    assert "does not see" in done.error
    with pytest.raises(DataError):
        sweep._run_once(point, "ticket")
