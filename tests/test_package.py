"""Promises of the package as a whole: cheap import, public names, requirement files that agree."""

import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import neoai_utils
from neoai_utils.competitions import COMPETITIONS

ROOT = Path(__file__).resolve().parent.parent


def requirements(name: str) -> list[Requirement]:
    """Return what a file requires, hashes and reasons aside."""
    lines = [
        re.sub(r"(^|\s)#.*", "", line).rstrip(" \\").strip()
        for line in (ROOT / name).read_text(encoding="utf-8").splitlines()
    ]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def locked() -> dict[str, str]:
    """Return package -> version of the lock."""
    return {canonicalize_name(r.name): next(iter(r.specifier)).version for r in requirements("requirements.lock")}


def test_import_loads_nothing_but_the_standard_library() -> None:
    code = """
import sys
before = set(sys.modules)
import neoai_utils
from neoai_utils.competitions import COMPETITIONS
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(tops - set(sys.stdlib_module_names) - {"neoai_utils"}))
print(*sorted({"asyncio", "logging", "multiprocessing", "subprocess", "typing"} & tops))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    foreign, slow = done.stdout.splitlines()
    assert foreign == ""
    assert set(slow.split()) <= {"typing"}


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
    versions = locked()
    for wanted in requirements("requirements.txt"):
        name = canonicalize_name(wanted.name)
        assert wanted.specifier.contains(versions[name]), f"{name} {versions[name]}"


def test_the_lock_pins_one_version_of_each_package_with_hashes() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", lines, flags=re.MULTILINE).strip())
    assert len(entries) == len(locked()) > 100
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==[\w.+!]+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry), entry[:80]


def test_the_lock_is_complete() -> None:
    """Every package that a locked one needs on this machine is locked; known for those that are installed as locked."""
    versions = locked()
    waiting = [(canonicalize_name(r.name), frozenset(r.extras)) for r in requirements("requirements.txt")]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        assert name in versions, f"{name} is needed and not locked"
        if (name, extras) not in seen:
            seen.add((name, extras))
            waiting += needs(name, versions[name], extras)


def needs(name: str, version: str, extras: frozenset[str]) -> list[tuple[str, frozenset[str]]]:
    """Return what a package needs on this machine; nothing where another version of it, or none, is installed."""
    try:
        found = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return []
    wanted = map(Requirement, (found.requires or []) if found.version == version else [])
    return [
        (canonicalize_name(one.name), frozenset(one.extras))
        for one in wanted
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras))
    ]


@pytest.mark.parametrize("technique", [competition.technique for competition in COMPETITIONS.values()])
def test_a_folder_names_its_modules(technique: str) -> None:
    folder = Path(neoai_utils.__file__).parent / technique
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__"} | {"miniature"}
    lines = importlib.import_module(f"neoai_utils.{technique}").__doc__.splitlines()
    assert {line.split("`")[1] for line in lines if line.startswith("- `")} == modules
