"""What a host lacks is installed by a real pip, and nothing that it has is moved."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from neoai_utils import installing
from neoai_utils.errors import NeoaiError

ROOT = Path(__file__).resolve().parent.parent


def wheel(folder: Path, name: str, version: str, *wanted: str) -> None:
    """Write a package of one module, whose `VERSION` is its version."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {text}\n" for text in wanted
    )
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, str, dict[str, str]]]:
    """Give a function that calls `provide` in an environment that has `torchy` 1.0, offline but for a folder of wheels.

    It returns what was printed, the error, and the versions that are installed afterwards.
    """
    folder = tmp_path_factory.mktemp("host")
    wheels = folder / "wheels"
    wheels.mkdir()
    for version in ("1.0", "2.0"):
        wheel(wheels, "torchy", version)
    wheel(wheels, "fits", "0.3", "torchy>=1.0")
    wheel(wheels, "moves", "0.4", "torchy>=2.0")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    python = folder / "venv/bin/python"
    own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull, "PYTHONPATH": str(ROOT)}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | own
    subprocess.run([python, "-m", "pip", "install", "-q", "torchy==1.0"], env=environment, check=True)

    def provide(needed: dict[str, str], spare: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        code = f"from neoai_utils import installing; installing.provide({needed!r}, {spare!r})"
        done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=False)
        command = [python, "-m", "pip", "list", "--format=json"]
        listed = subprocess.run(command, env=environment, capture_output=True, check=True)
        versions = {entry["name"]: entry["version"] for entry in json.loads(listed.stdout)}
        return done.stdout, (done.stderr.strip().splitlines() or [""])[-1], versions

    return provide


def test_what_fits_is_installed_and_what_is_there_is_left_alone(host) -> None:
    said, error, versions = host({"torchy": "torchy>=2"}, {})
    assert (said, error, versions["torchy"]) == ("", "", "1.0"), "it can be imported, so nothing is to be done"
    said, error, versions = host({"fits": "fits>=0.1"}, {})
    assert (said, error, versions["fits"], versions["torchy"]) == ("", "", "0.3", "1.0")


def test_what_would_move_a_package_is_not_installed(host) -> None:
    said, error, versions = host({"moves": "moves>=0.1"}, {})
    assert error.startswith("neoai_utils.errors.NeoaiError: moves>=0.1 could not be installed (pip says: ERROR: ")
    assert error.endswith("turn on Internet for this notebook (on Kaggle: Settings → Internet), then run it again.")
    assert said == ""
    assert "moves" not in versions
    assert versions["torchy"] == "1.0"


def test_what_can_be_spared_does_not_stop_a_notebook(host) -> None:
    said, error, versions = host({}, {"moves": "moves", "absent": "absent>=3", "fits": "fits"})
    assert error == ""
    first, second = said.splitlines()
    assert first.startswith("moves could not be installed (pip says: ERROR: ")
    assert second.startswith("absent>=3 could not be installed (pip says: ERROR: ")
    assert second.endswith("; what needs it is left out.")
    assert versions["fits"] == "0.3"


def test_a_python_without_pip_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_PIP", [sys.executable, "-m", "pip_that_is_not_here"])
    with pytest.raises(NeoaiError, match=r"absent could not be installed \(pip says: .*No module named pip_that"):
        installing.install("absent")
