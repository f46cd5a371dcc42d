"""Missing packages are installed by a real pip, and no installed package changes its version."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from neoai_utils import installing
from neoai_utils.errors import NeoaiError
from tests import bare_environment

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("name", "expected"),
    [("sklearn", "scikit-learn"), ("cv2", "opencv-python-headless"), ("PIL", "pillow"), ("torch", "torch"),
     ("open_clip", "open_clip_torch"), ("sae_lens", "sae-lens")],
)  # fmt: skip
def test_import_names_lead_to_requirements(name: str, expected: str) -> None:
    assert (installing.requirement(name) or "").startswith(f"{expected}>=")


@pytest.mark.parametrize("name", ["cycler", "nonsense", "dask", "pytest"])
def test_other_packages_have_none(name: str) -> None:
    assert installing.requirement(name) is None


def test_the_installed_metadata_is_that_of_the_working_tree() -> None:
    """An editable installation keeps the metadata of the day it was made; first cells are written from them."""
    lines = (Path(__file__).parents[1] / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = {line.partition("#")[0].replace(" ", "") for line in lines} - {""}
    installed = {text.replace(" ", "") for text in importlib.metadata.requires("neoai") or [] if ";" not in text}
    assert installed == wanted, "requirements.txt has changed: pip install -e . --no-deps, then neoai address"


def test_pip_is_not_started_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    installing.complete(["numpy", "sklearn", "torch"])


def test_a_library_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_LIBRARY", "neoai-absent")
    with pytest.raises(NeoaiError, match=r"pip install -e \."):
        installing.requirement("numpy")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, str, dict[str, str]]]:
    """Give a function that calls `provide` in an environment that has `torchy` 1.0, offline but for a folder of wheels.

    It returns what was printed, the error, and the versions that are installed afterwards.
    """
    folder = tmp_path_factory.mktemp("host")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        bare_environment.wheel(wheels, "torchy", version)
    bare_environment.wheel(wheels, "fits", "0.3", "torchy>=1.0")
    bare_environment.wheel(wheels, "moves", "0.4", "torchy>=2.0")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv/bin/python"
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": str(ROOT)}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | own
    subprocess.run([python, "-m", "pip", "install", "-q", "torchy==1.0"], env=environment, check=True)

    def provide(required: dict[str, str], optional: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        code = f"from neoai_utils import installing; installing.provide({required!r}, {optional!r})"
        done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=False)
        command = [python, "-m", "pip", "list", "--format=json"]
        listed = subprocess.run(command, env=environment, capture_output=True, check=True)
        versions = {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}
        return done.stdout, (done.stderr.strip().splitlines() or [""])[-1], versions

    return provide


def test_a_package_that_fits_is_installed_and_installed_ones_are_kept(host) -> None:
    printed, error, versions = host({"torchy": "torchy>=2"}, {})
    assert (printed, error, versions["torchy"]) == ("", "", "1.0"), "it can be imported, so nothing is to be done"
    printed, error, versions = host({"fits": "fits>=0.1"}, {})
    assert (printed, error, versions["fits"], versions["torchy"]) == ("", "", "0.3", "1.0")


def test_a_package_that_would_change_another_is_not_installed(host) -> None:
    printed, error, versions = host({"moves": "moves>=0.1"}, {})
    assert error.startswith("neoai_utils.errors.NeoaiError: moves>=0.1 could not be installed (pip says: ERROR: ")
    assert error.endswith("turn on Internet for this notebook (on Kaggle: Settings → Internet), then run it again.")
    assert printed == ""
    assert "moves" not in versions
    assert versions["torchy"] == "1.0"


def test_an_optional_package_does_not_stop_a_notebook(host) -> None:
    printed, error, versions = host({}, {"moves": "moves", "absent": "absent>=3", "fits": "fits"})
    assert error == ""
    first, second = printed.splitlines()
    assert first.startswith("moves could not be installed (pip says: ERROR: ")
    assert second.startswith("absent>=3 could not be installed (pip says: ERROR: ")
    assert second.endswith("; what needs it is left out.")
    assert versions["fits"] == "0.3"


def test_a_python_without_pip_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_PIP", [sys.executable, "-m", "pip_that_is_not_here"])
    with pytest.raises(NeoaiError, match=r"absent could not be installed \(pip says: .*No module named pip_that"):
        installing.install("absent")


class Environment:
    """One in which seqeval is missing, and an index that has it and a newer `packaging`."""

    def __init__(self, folder: Path, needs: str) -> None:
        self.folder, self.index = folder, folder / "index"
        self.python = bare_environment.make(folder / "environment", without=("seqeval",))
        # The modules alone: beside them lies an editable install's metadata, which pip takes for the library.
        (folder / "library").mkdir()
        (folder / "library/neoai_utils").symlink_to(ROOT / "neoai_utils")
        bare_environment.wheel(self.index, "neoai", "0.1.0", "seqeval>=1.2.2", "packaging>=1")
        bare_environment.wheel(self.index, "seqeval", "9.0", needs)
        bare_environment.wheel(self.index, "packaging", "999.0")
        self.run("-m", "pip", "install", "--no-deps", "neoai")

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess:
        library = str(self.folder / "library")
        variables = bare_environment.environment(PIP_FIND_LINKS=str(self.index), PYTHONPATH=library)
        return subprocess.run(
            [self.python, *words], cwd=self.folder, env=variables, capture_output=True, text=True, check=check
        )  # fmt: skip

    def installed(self) -> set[str]:
        return set(self.run("-m", "pip", "list", "--format=freeze").stdout.splitlines())


def test_missing_packages_are_installed_and_the_rest_keeps_its_versions(tmp_path: Path) -> None:
    there = Environment(tmp_path, "packaging")
    before = there.installed()
    done = there.run("-m", "neoai_utils.installing", "packaging seqeval torch")
    assert (done.stdout, done.stderr) == ("", "")
    assert there.installed() - before == {"seqeval==9.0"}
    assert before <= there.installed()
    assert "999.0" not in "".join(there.installed())


def test_a_package_that_does_not_fit_is_an_error_and_can_be_tried_again(tmp_path: Path) -> None:
    """The library goes too, so that the notebook's cell tries again."""
    there = Environment(tmp_path, "packaging>=99")
    before = there.installed()
    done = there.run("-m", "neoai_utils.installing", "seqeval", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("seqeval>=1.2.2 could not be installed (pip says: ")
    assert len(done.stderr.splitlines()) == 1
    assert before - there.installed() == {"neoai==0.1.0"}
    assert os.path.lexists(there.index)
