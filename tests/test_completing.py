"""What is missing is installed, and nothing that is there moves: with real pip, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
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


def test_nothing_is_started_where_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    installing.complete(["numpy", "sklearn", "torch"])


def test_a_library_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_LIBRARY", "neoai-absent")
    with pytest.raises(NeoaiError, match=r"pip install -e \."):
        installing.requirement("numpy")


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


def test_what_is_missing_is_installed_and_the_rest_is_held(tmp_path: Path) -> None:
    there = Environment(tmp_path, "packaging")
    before = there.installed()
    done = there.run("-m", "neoai_utils.installing", "packaging seqeval torch")
    assert (done.stdout, done.stderr) == ("", "")
    assert there.installed() - before == {"seqeval==9.0"}
    assert before <= there.installed()
    assert "999.0" not in "".join(there.installed())


def test_what_does_not_fit_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    """The library goes too, so that the notebook's cell does not take the next try for done."""
    there = Environment(tmp_path, "packaging>=99")
    before = there.installed()
    done = there.run("-m", "neoai_utils.installing", "seqeval", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("seqeval>=1.2.2 could not be installed (pip says: ")
    assert len(done.stderr.splitlines()) == 1
    assert before - there.installed() == {"neoai==0.1.0"}
    assert os.path.lexists(there.index)
