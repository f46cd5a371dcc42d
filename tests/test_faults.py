"""Killed processes, full disks, folders that may not be written, several runs at once, no network, no home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from neoai_utils import storage, task_modules
from neoai_utils.commands import run as runs
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import NeoaiError
from neoai_utils.miniatures import build_miniature, miniature_folder
from neoai_utils.workspace import open_workspace
from tests.conftest import SmallDisk
from tests.eight import SMALL, TASKS, files_of

ROOT = Path(__file__).resolve().parent.parent
CLI = [sys.executable, "-m", "neoai_utils.commands.app"]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals, users and mounts of Unix")

FAKE = """
import json, os, signal, sys
import pandas as pd
from pathlib import Path
from tests.conftest import FakeTask
from neoai_utils import miniatures, task_modules, workspace

task = FakeTask()
task_modules.load = task.load
right = pd.DataFrame({"id": range(10), "target": [float(i) for i in range(10)]})

def kill(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def child(code: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program that has the made-up competition."""
    return subprocess.run(
        [sys.executable, "-c", FAKE + code], env=environment(**more), capture_output=True, text=True, check=False
    )


def right(factor: float = 1.0) -> pd.DataFrame:
    return pd.DataFrame({"id": range(10), "target": [i * factor for i in range(10)]})


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def as_nobody(act: Callable[[], None]) -> None:
    """Run `act` in a forked process as a user who owns nothing; what it imports must be imported already."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    number = os.fork()
    if number == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            act()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0


def open_to_all(folder: Path) -> None:
    """Let any user reach a folder (pytest's are for their owner alone)."""
    for parent in (folder, *folder.parents[:-2]):
        if parent.stat().st_uid == os.geteuid():
            parent.chmod(parent.stat().st_mode | 0o755)


# ------------------------------------------------------------------------------------------------------ kill -9


def test_killed_while_a_miniature_is_built(fake_task, cache: Path) -> None:
    """The next run builds it, and sweeps away the half one."""
    done = child(
        "build = task.build\ntask.miniature.build = lambda *a: (build(*a), kill())\nminiatures.build_miniature('task5')"
    )
    folder = miniature_folder("task5")
    assert done.returncode == -signal.SIGKILL
    assert not folder.exists()
    assert list(folder.parent.glob("*.part"))
    assert open_workspace("task5", out_dir=cache / "out").grade(right()).score == 1.0
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, f"{folder.name}.lock"]


KILLS = {  # the program that dies, and which of the two files are then there: the old ones, the new ones, or none
    "in the middle of the submission": (
        "pd.DataFrame.to_csv = lambda _, path, **__: (Path(path).write_text('id,target\\n0,'), kill())", "old", "old",
    ),
    "between submission and results": ("json.dumps = kill", "new", "none"),
    "in the middle of the results": (
        "write = Path.write_text\n"
        "Path.write_text = lambda path, text, **_: (write(path, text[:9]), kill()) if 'results' in path.name else 0",
        "new", "none",
    ),
}  # fmt: skip


@pytest.mark.parametrize("moment", KILLS)
def test_killed_while_a_submission_is_written(moment: str, fake_task, tmp_path: Path) -> None:
    """A file that is there is whole, and results never stand beside a submission that is not theirs."""
    code, submission, results = KILLS[moment]
    out = tmp_path / "out"
    open_workspace("task5", out_dir=out).submit(right(2.0))
    old = {name: (out / name).read_bytes() for name in ("submission.csv", "results.json")}
    done = child(f"opened = workspace.open_workspace('5', out_dir={str(out)!r})\n{code}\nopened.submit(right)")
    assert done.returncode == -signal.SIGKILL, done.stderr
    new = {"submission.csv": right().to_csv(index=False).encode()}
    for name, state in (("submission.csv", submission), ("results.json", results)):
        found = (out / name).read_bytes() if (out / name).exists() else None
        assert found == {"old": old.get(name), "new": new.get(name), "none": None}[state]
    again = open_workspace("task5", out_dir=out).submit(right())
    assert again.score == 1.0
    told = json.loads((out / "results.json").read_text())
    assert told["submission_sha256"] == storage.sha256_of(out / "submission.csv")


RESULTS = {
    "baseline": 0.1, "published": 0.5, "ours": 0.75, "ceiling": 0.9, "recovered": 0.8125, "metric": "accuracy",
    "peak_memory_mb": None,
}  # fmt: skip
WRITE = (
    f"import json, os, pathlib, time\npathlib.Path('outputs/task5/results.json').write_text({json.dumps(RESULTS)!r})"
)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with notebooks/."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def write_notebook(*code: str) -> None:
    parameters = new_code_cell("seed: int = 1", metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    book = new_notebook(cells=[parameters, *map(new_code_cell, code)], metadata=kernel)
    nbformat.write(book, Path("notebooks/task5.ipynb"))


def test_neoai_run_is_killed_and_given_again(shelf: Path) -> None:
    """The notebook kills the process that plays it, once; nothing of that run, or of the one before, passes for new."""
    write_notebook(WRITE, "if not os.path.exists('mercy'): os.kill(os.getppid(), 9); time.sleep(60)")
    folder = shelf / "outputs/task5"
    folder.mkdir(parents=True)
    for name in ("task5.ipynb", "submission.csv", ".submission.csv.1.ab.part"):
        (folder / name).write_text("of an earlier run")
    killed = subprocess.run([*CLI, "run", "5"], env=environment(), capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert set(names(folder)) <= {".lock", "results.json", "task5.running.ipynb"}
    (shelf / "mercy").touch()
    done = subprocess.run([*CLI, "run", "5"], env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "accuracy 0.750" in done.stdout
    assert names(folder) == [".lock", "results.json", "task5.ipynb"]


# -------------------------------------------------------------------------------------------------- a full disk


def test_a_submission_on_a_full_disk(fake_task, small_disk: SmallDisk) -> None:
    """The old submission and its results stay, and the message says what to do."""
    opened = open_workspace("task5", out_dir=small_disk.folder)
    opened.submit(right(2.0))
    before = {name: (small_disk.folder / name).read_bytes() for name in names(small_disk.folder)}
    with small_disk.full(), pytest.raises(NeoaiError, match="cannot write .*submission.csv: .* free some space"):
        opened.submit(right())
    assert {name: (small_disk.folder / name).read_bytes() for name in names(small_disk.folder)} == before
    assert opened.submit(right()).score == 1.0


def test_a_miniature_on_a_full_disk(fake_task, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOAI_CACHE", str(small_disk.folder))
    with small_disk.full(), pytest.raises(NeoaiError, match=r"cannot write .*task5-\w+: .*NEOAI_CACHE"):
        build_miniature("task5")
    assert [name for name in names(small_disk.folder) if not name.endswith(".lock")] == []
    assert build_miniature("task5").is_dir()


@pytest.mark.parametrize("writer", ["torch", "safetensors"])
def test_weights_on_a_full_disk(writer: str, small_disk: SmallDisk) -> None:
    """torch and safetensors raise errors of their own there."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    if small_disk.way != "tmpfs":
        pytest.skip("a limit to the size of files leaves the disk empty, so that it is not to blame")
    target = small_disk.folder / "weights"
    state = {"weight": torch.ones(10_000)}
    with small_disk.full(), pytest.raises(NeoaiError, match=r"cannot write .*weights: .*full.* free some space"):
        with storage.atomic_path(target) as temporary:
            torch.save(state, temporary) if writer == "torch" else save_file(state, temporary)
    assert names(small_disk.folder) == []


def test_a_notebook_on_a_full_disk(shelf: Path, small_disk: SmallDisk) -> None:
    """Its play fails with the reason; the other notebooks of the same command go on."""
    write_notebook(WRITE)
    with small_disk.full():
        done = runs.run("task5", small_disk.folder)
    assert done.results is None
    assert "cannot write" in str(done.error)
    assert "free some space" in str(done.error)
    assert names(small_disk.folder) == ["task5/.lock"]


# ------------------------------------------------------------------------ folders that may not be written, other users


@pytest.mark.parametrize("task", TASKS)
def test_a_user_without_rights_reads_a_read_only_folder(task: str, tmp_path: Path) -> None:
    """The competition's files are only read, as on Kaggle; outputs go elsewhere."""
    (tmp_path / "files").mkdir()
    (tmp_path / "mine").mkdir()
    SMALL[task].write(tmp_path / "files")
    (tmp_path / "mine").chmod(0o777)
    open_to_all(tmp_path / "files")
    for path in (*(tmp_path / "files").rglob("*"), tmp_path / "files"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {name: (tmp_path / "files" / name).read_bytes() for name in names(tmp_path / "files")}

    def play(out: str) -> Callable[[], None]:
        def act() -> None:
            files_of(task).read(tmp_path / "files")
            opened = open_workspace(task, tmp_path / "files", tmp_path / out)
            opened.submit(SMALL[task].right())

        return act

    play("ours")()
    as_nobody(play("mine/out"))
    assert names(tmp_path / "mine/out") == ["results.json", "submission.csv"]
    assert (tmp_path / "mine/out/submission.csv").read_bytes() == (tmp_path / "ours/submission.csv").read_bytes()
    assert {name: (tmp_path / "files" / name).read_bytes() for name in names(tmp_path / "files")} == before


def test_a_whole_miniature_serves_from_a_read_only_cache(fake_task, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine").chmod(0o777)
    open_workspace("task5", out_dir=tmp_path / "ours").submit(right())
    open_to_all(cache)
    for path in cache.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    as_nobody(lambda: open_workspace("task5", out_dir=tmp_path / "mine/out").submit(right()) and None)
    assert json.loads((tmp_path / "mine/out/results.json").read_text())["ours"] == 1.0


def test_a_cache_of_somebody_else_names_the_remedy(fake_task, cache: Path) -> None:
    cache.mkdir()
    open_to_all(cache)

    def act() -> None:
        with pytest.raises(NeoaiError, match="NEOAI_CACHE"):
            build_miniature("task5")

    as_nobody(act)
    assert names(cache) == []


# ----------------------------------------------------------------------------------------------- a damaged cache

DAMAGES: dict[str, Callable[[Path], object]] = {
    "half a file": lambda f: (f / "data/test.csv").write_text("id\n1"),
    "an empty file": lambda f: (f / "answers/answers.json").write_text(""),
    "facts that were changed": lambda f: (f / "answers/facts.json").write_text('{"ceiling": 2.0}'),
    "a manifest that is no JSON": lambda f: (f / storage.MANIFEST).write_text("{"),
    "a manifest that is a list": lambda f: (f / storage.MANIFEST).write_text(json.dumps(names(f))),
    "a file for the folder": lambda f: (subprocess.run(["rm", "-r", f], check=True), f.write_text("")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_miniature_is_built_again(damage: str, fake_task, tmp_path: Path, capsys) -> None:
    DAMAGES[damage](build_miniature("task5"))
    opened = open_workspace("task5", out_dir=tmp_path / "out")
    assert (opened.grade(right()).score, opened.ceiling, fake_task.builds) == (1.0, 1.0, 2)
    assert "damaged and is built again" in capsys.readouterr().out


# --------------------------------------------------------------------------------------- several at once, no network


def test_three_runs_at_once_in_one_folder(shelf: Path) -> None:
    """They play one after the other, build one miniature between them, and all see whole results."""
    build = (
        "build = task.build\n"
        "task.miniature.build = lambda *a: (open('builds.txt', 'a').write('built\\n'), time.sleep(0.5), build(*a))[2]\n"
        "opened = workspace.open_workspace('task5')\n"
        "opened.ladder.add('zeros', score=0.1, role='baseline')"
    )
    write_notebook(
        "import time; open('busy', 'x').close()",
        FAKE,
        build,
        "opened.submit(right)",
        "time.sleep(0.5); os.remove('busy')",
    )
    settings = environment(NEOAI_CACHE=str(shelf / "cache"), KAGGLE_INPUT=str(shelf / "none"))
    runs = [
        subprocess.Popen([*CLI, "run", "5"], env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert all("accuracy 1.000" in text for text in said)
    assert (shelf / "builds.txt").read_text() == "built\n"


def test_three_builders_of_a_real_miniature_at_once(cache: Path) -> None:
    """All get the same bytes, the bytes of a build alone, and one of them builds."""
    code = (
        "from neoai_utils import miniatures, storage; "
        "build = miniatures._build; "
        "miniatures._build = lambda *a: (print('built'), build(*a)); "
        "print(storage.sha256_of(miniatures.build_miniature('task1') / storage.MANIFEST))"
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", code], env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [run.communicate()[0].split() for run in runs]
    assert sorted(len(words) for words in said) == [1, 1, 2]
    assert len({words[-1] for words in said}) == 1
    alone = cache / "alone"
    for part in ("data", "answers"):
        (alone / part).mkdir(parents=True)
    miniature = task_modules.miniature_of(COMPETITIONS["task1"])
    miniature.build(miniature.Recipe(), alone / "data", alone / "answers")
    built = miniature_folder("task1")
    assert all((alone / name).read_bytes() == (built / name).read_bytes() for name in names(alone))


def test_no_network_and_no_home(cache: Path, tmp_path: Path) -> None:
    """A miniature of the library's own data, its submission and its score need neither."""
    code = """
import os, socket
def refuse(*_, **__):
    raise OSError("the network was asked")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
assert "HOME" not in os.environ
from neoai_utils import open_workspace
from neoai_utils.tabular import files
opened = open_workspace("task1", out_dir="out")
tables = files.read(opened.data_dir)
opened.submit(files.submission(tables.test_ids, [tables.target.mean()] * len(tables.test_ids)))
"""
    settings = {name: value for name, value in environment().items() if name != "HOME"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "rows; score " in done.stdout


def test_a_home_that_does_not_exist(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the user nobody has it: things go to the temporary folder; but a cache folder that is named counts."""
    for name in ("NEOAI_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "nonexistent"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert storage.cache_dir() == tmp_path / "neoai-cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "named"))
    assert storage.cache_dir() == tmp_path / "named/neoai"
