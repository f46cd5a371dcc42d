"""run_all.sh on machines that lack something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")


def bare_machine(folder: Path, python: str) -> tuple[Path, dict[str, str]]:
    """Copy the script to a folder whose PATH holds a few tools and a `python3` with the given body."""
    shutil.copy(ROOT / "run_all.sh", folder)
    for name in ("requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    tools = folder / "tools"
    tools.mkdir()
    for name in ("bash", "sed", "cat", "cksum", "dirname", "tail", "rm", "mkdir", "flock"):
        found = shutil.which(name)
        if found:
            (tools / name).symlink_to(found)
    (tools / "python3").write_text(f"#!/usr/bin/env bash\n{python}\n")
    (tools / "python3").chmod(0o755)
    (tools / "env").symlink_to(str(shutil.which("env")))
    return folder / "run_all.sh", {"PATH": str(tools), "HOME": str(folder)}


def run(script: Path, environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([script, *words], env=environment, capture_output=True, text=True, check=False)


def test_help_needs_nothing(tmp_path: Path) -> None:
    done = run(*bare_machine(tmp_path, "exit 1"), "--help")
    assert done.returncode == 0
    assert "every notebook" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_refused_with_the_remedy(tmp_path: Path) -> None:
    done = run(*bare_machine(tmp_path, "exit 1"), "5")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr


@pytest.mark.parametrize("name", ["python3.14", "python3.16"])
def test_a_new_python_is_found_where_it_is_the_only_one(tmp_path: Path, name: str) -> None:
    script, environment = bare_machine(tmp_path, "exit 1")
    python = tmp_path / "tools" / name
    python.write_text('#!/usr/bin/env bash\ncase "$*" in *venv*) echo "asked: $0" >&2; exit 1;; esac; exit 0\n')
    python.chmod(0o755)
    done = run(script, environment, "5")
    assert f"{name}\n" in done.stderr
    assert "python3-venv" in done.stderr


def test_an_active_environment_that_is_too_old_is_refused(tmp_path: Path) -> None:
    script, environment = bare_machine(tmp_path, "exit 0")
    done = run(script, environment | {"VIRTUAL_ENV": "old-one"}, "5")
    assert done.returncode == 1
    assert "old-one" in done.stderr


def test_a_python_without_venv_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    half_made = 'case "$*" in *venv*) mkdir -p "${@: -1}/bin"; exit 1;; esac; exit 0'
    done = run(*bare_machine(tmp_path, half_made), "5")
    assert done.returncode == 1
    assert "python3-venv" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_failed_installation_is_shown_and_tried_again(tmp_path: Path) -> None:
    script, environment = bare_machine(tmp_path, "exit 0")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").write_text(
        '#!/usr/bin/env bash\ncase "$*" in *install*) echo "no space left" >&2; exit 2;; esac\n'
    )  # fmt: skip
    (binaries / "python").chmod(0o755)
    for _ in range(2):
        done = run(script, environment, "5")
        assert done.returncode == 1
        assert "no space left" in done.stderr
        assert "installation failed" in done.stderr


@pytest.mark.skipif(shutil.which("flock") is None, reason="without flock nobody waits")
def test_of_three_at_once_one_installs(tmp_path: Path) -> None:
    """The others wait for it; then all play."""
    script, settings = bare_machine(tmp_path, "exit 0")
    (tmp_path / "tools/sleep").symlink_to(str(shutil.which("sleep")))
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = 'case "$*" in *install*) sleep 1; echo installed >>log;; *commands.app*) echo "$(cat log) played";; esac'
    (binaries / "python").write_text(f"#!/usr/bin/env bash\n{python}\n")
    (binaries / "python").chmod(0o755)
    runs = [subprocess.Popen([script, "5"], env=settings, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert all(text.endswith("installed played\n") for text in said)
    assert (tmp_path / "log").read_text() == "installed\n"


@pytest.mark.skipif(shutil.which("flock") is None, reason="without flock nobody waits")
def test_killed_while_it_installs(tmp_path: Path) -> None:
    """The next run installs again: the mark of a finished installation is written last."""
    script, settings = bare_machine(tmp_path, "exit 0")
    binaries = tmp_path / ".venv" / "bin"
    binaries.mkdir(parents=True)
    python = 'case "$*" in *install*) echo begun >>log; if [ ! -e mercy ]; then kill -9 $PPID; fi;; esac'
    (binaries / "python").write_text(f"#!/usr/bin/env bash\n{python}\n")
    (binaries / "python").chmod(0o755)
    assert run(script, settings, "5").returncode == -9
    (tmp_path / "mercy").touch()
    assert run(script, settings, "5").returncode == 0
    assert run(script, settings, "5").returncode == 0
    assert (tmp_path / "log").read_text() == "begun\nbegun\n"


def recorded_installs(folder: Path, *, uv: bool, reachable: bool) -> list[str]:
    """Return what is installed, and by what, on a Linux machine without a card."""
    script, settings = bare_machine(folder, "exit 0")
    binaries = folder / ".venv" / "bin"
    binaries.mkdir(parents=True)
    web = 0 if reachable else 1
    python = f'case "$*" in *"import torch"*) exit 1;; *urlopen*) exit {web};; *"pip install"*) echo "$*" >>log;; esac'
    tools = {binaries / "python": python, folder / "tools/uname": "echo Linux"}
    if uv:
        tools[folder / "tools/uv"] = 'echo "uv $*" >>log'
    for path, body in tools.items():
        path.write_text(f"#!/usr/bin/env bash\n{body}\n")
        path.chmod(0o755)
    assert run(script, settings, "5").returncode == 0
    return (folder / "log").read_text().splitlines()


@pytest.mark.parametrize("reachable", [True, False])
def test_without_a_card_torch_comes_without_cuda_where_it_is_in_reach(tmp_path: Path, reachable: bool) -> None:
    *first, last = recorded_installs(tmp_path, uv=False, reachable=reachable)
    assert last.endswith("pip install --disable-pip-version-check -e .")
    assert [line.partition("--index-url ")[0].split()[-2:] for line in first] == [["torch", "torchvision"]] * reachable


def test_uv_installs_where_it_is_there(tmp_path: Path) -> None:
    (only,) = recorded_installs(tmp_path, uv=True, reachable=False)
    assert only == f"uv pip install --python {tmp_path}/.venv/bin/python -e ."


def test_the_script_is_executable() -> None:
    assert os.access(ROOT / "run_all.sh", os.X_OK)
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
