"""The guard on a real Python 3.14, which keeps the annotations of a module in another place than 3.13 does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from neoai_utils.commands import notebooks

ROOT = Path(__file__).resolve().parent.parent.parent
PYODIDE = "pyodide@314.0.7"  # CPython 3.14 as WebAssembly; its version begins with Python's


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Run the first cells of all notebooks on CPython 3.14."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs Node and npm, which bring a Python 3.14 as WebAssembly")
    folder = tmp_path_factory.mktemp("python-3-14")
    fetched = subprocess.run(
        ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), PYODIDE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"npm cannot fetch {PYODIDE}: {fetched.stderr.strip().splitlines()[-1]}")
    script, package = Path(__file__).with_name("python_3_14.mjs"), folder / "node_modules" / "pyodide"
    done = subprocess.run(
        ["node", str(script), str(package), sysconfig.get_path("purelib"), str(ROOT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_it_is_python_3_14(outcomes: dict) -> None:
    assert outcomes["version"].startswith("3.14.")


@pytest.mark.parametrize("task", notebooks.available())
def test_the_guard_works_on_python_3_14(task: str, outcomes: dict) -> None:
    found = outcomes[task]
    assert (found["plain"], found["seed = 7"]) == ("", "")
    assert found["sede = 7"] == "ParameterError: unknown parameter 'sede': did you mean seed?"
    assert found["seed = 'high'"].startswith("ParameterError: seed must be a whole number (int), got 'high'")
    assert found["lost tag"].startswith("ParameterError: seed was given as 7 but is ")
