"""Promises of the package as a whole: cheap import, public names, requirement files that agree."""

import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import neoai_utils

ROOT = Path(__file__).resolve().parent.parent


def requirements(name: str) -> list[Requirement]:
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, neoai_utils; print(*sorted({'torch', 'pandas', 'numpy', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("name", neoai_utils.__all__)
def test_public_names_resolve(name: str) -> None:
    assert getattr(neoai_utils, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no 'nonsense'"):
        neoai_utils.nonsense


def test_every_requirement_has_a_reason() -> None:
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        assert not line or "#" in line, f"no reason given: {line}"


def test_the_environment_satisfies_the_ranges() -> None:
    for wanted in requirements("requirements.txt"):
        assert wanted.specifier.contains(importlib.metadata.version(wanted.name), prereleases=True), wanted


def test_the_lock_lies_inside_the_ranges() -> None:
    locked = {
        r.name.lower().replace("_", "-"): next(iter(r.specifier)).version for r in requirements("requirements.lock")
    }
    for wanted in requirements("requirements.txt"):
        name = wanted.name.lower().replace("_", "-")
        assert wanted.specifier.contains(locked[name]), f"{name} {locked[name]}"
