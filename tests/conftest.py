"""What several test modules share: a made-up competition that the workspace can open."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest
from hypothesis import settings
from nbformat.v4 import new_code_cell

from neoai_utils import number_formats, runtime, submissions, tables, task_modules
from neoai_utils.scores import Grades
from tests import changed

settings.register_profile("no test gates on time", deadline=None)
settings.load_profile("no test gates on time")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--changed`."""
    parser.addoption("--changed", action="store_true", help="of whole notebooks, play those that a change reaches")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadscope`, let one worker play all notebooks of a task, since its tests share the plays."""
    from xdist.scheduler import LoadScopeScheduling

    class ByTask(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return changed.task_of(nodeid) or super()._split_scope(nodeid)

    return ByTask(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the plays of notebooks that no change since `main` reaches."""
    if not config.getoption("--changed"):
        return
    reached = changed.tasks(changed.paths())
    spared = [
        item
        for item in items
        if item.get_closest_marker("story") and (task := changed.task_of(item.nodeid)) and task not in reached
    ]
    config.hook.pytest_deselected(items=spared)
    items[:] = [item for item in items if item not in spared]


@pytest.fixture(autouse=True)
def exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let networks compute in float32 on every machine, so that they can be compared with plain references."""
    monkeypatch.setattr(number_formats, "_processor_has_bfloat16", lambda: False)


SUBMISSION: dict[str, tables.Kind] = {"id": "integer", "target": "number"}
# Makes an installed neoai_utils invisible; what an uploaded notebook writes must do.
HIDE = """
import importlib.util, os, pathlib, sys
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in (getattr(f, "__module__", "") + repr(f))]
sys.path[:] = [p for p in sys.path if not (pathlib.Path(p or ".") / "neoai_utils").exists()]
assert importlib.util.find_spec("neoai_utils") is None
"""
OFFLINE = """
import socket
def refuse(*_): raise OSError("no network here")
socket.socket.connect = socket.create_connection = refuse
os.environ["PIP_NO_INDEX"] = "1"
"""


@dataclass(frozen=True)
class FakeRecipe:
    seed: int = 0
    version: int = 1


class FakeTask:
    """A competition in which the answer to id i is i * (seed + 1); counts how often its miniature is built."""

    def __init__(self) -> None:
        self.builds = 0
        self.files = SimpleNamespace(
            REQUIRED=("test.csv",),
            check_submission=self.check_submission,
            parse_submission=lambda path: submissions.read_submission(path, SUBMISSION),
            grade=self.grade,
        )
        self.miniature = SimpleNamespace(Recipe=FakeRecipe, build=self.build)

    def build(self, recipe: FakeRecipe, data_dir: Path, answers_dir: Path) -> dict[str, float]:
        self.builds += 1
        frame = pd.DataFrame({"id": range(10)})
        frame.to_csv(data_dir / "test.csv", index=False)
        (answers_dir / "answers.json").write_text(json.dumps([i * (recipe.seed + 1.0) for i in range(10)]))
        return {"ceiling": 1.0}

    def check_submission(self, frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame:
        ids = tables.read_csv(data_dir / "test.csv", {"id": "integer"})["id"]
        return submissions.check_rows(frame, SUBMISSION, ids)

    def grade(self, frame: pd.DataFrame, answers_dir: Path) -> Grades:
        answers = json.loads((answers_dir / "answers.json").read_text())
        right = frame.sort_values("id")["target"].to_numpy() == answers
        return Grades(float(right.mean()), {"wrong": float((~right).sum())})

    def load(self, competition: object, module: str) -> SimpleNamespace:
        return self.files if module == "files" else self.miniature


@pytest.fixture(autouse=True)
def own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the number of threads of the test process; opening a miniature would change it for all later tests."""
    monkeypatch.setattr(runtime, "fix_threads", lambda _: None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a cache folder of its own and no Kaggle mount."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NEOAI_CACHE", str(folder))
    monkeypatch.setenv("KAGGLE_INPUT", str(tmp_path / "kaggle-input"))
    return folder


@pytest.fixture
def fake_task(cache: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTask:
    """Replace every task's modules by those of the made-up competition."""
    task = FakeTask()
    monkeypatch.setattr(task_modules, "load", task.load)
    return task


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """Give a folder that nobody may write to; as root, the test runs as the user `nobody` meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


@dataclass(frozen=True)
class SmallDisk:
    """A folder whose disk can be full: `with disk.full(): ...`; `way` says how it is done."""

    folder: Path
    full: Callable[[], AbstractContextManager[None]]
    way: str


@pytest.fixture
def small_disk(tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[SmallDisk]:
    """Give a disk that can be full: a file system of 1 MB where mounting works, else a limit to the size of files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    way = "tmpfs" if mounted else "RLIMIT_FSIZE"
    record_property("full disk", way)
    try:
        yield SmallDisk(folder, (lambda: _ballast(folder)) if mounted else _no_growth, way)
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def _ballast(folder: Path) -> Iterator[None]:
    """Fill the disk to its last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _no_growth() -> Iterator[None]:
    """Let no file of this process grow beyond a few bytes."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Give a function that installs an empty package of a name and version for this test; it returns its file."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(name: str, version: str) -> Path:
        (site / f"{name}-{version}.dist-info").mkdir()
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (site / name).mkdir()
        (site / name / "__init__.py").write_text(f'__version__ = "{version}"\n')
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.invalidate_caches()
        return site / name / "__init__.py"

    yield put
    for name in [path.name for path in site.iterdir()]:
        sys.modules.pop(name, None)


@pytest.fixture
def old_torchao(install: Callable[[str, str], Path]) -> Iterator[None]:
    """Install a torchao that peft refuses, as Kaggle's and Colab's images do."""
    checks = pytest.importorskip("peft.import_utils")
    forget = getattr(checks.is_torchao_available, "cache_clear", lambda: None)
    install("torchao", "0.10.0")
    forget()
    yield
    forget()


@pytest.fixture
def hide_library() -> str:
    """Give code after which an installed neoai_utils cannot be imported."""
    return HIDE


@pytest.fixture(scope="session")
def bare() -> Callable[[bytes, bool, Path], None]:
    """Give a function that writes a notebook with one more cell in front: no library and, if so wanted, no network."""

    def write(content: bytes, online: bool, target: Path) -> None:
        book = nbformat.reads(content.decode(), as_version=4)
        book.cells.insert(0, new_code_cell(HIDE if online else HIDE + OFFLINE))
        nbformat.write(book, target)

    return write
