"""One file holds the repository's address, and what is generated from it agrees with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import nbformat
import pytest

from neoai_utils.commands import imports, report, repository
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import NeoaiError, ParameterError
from tests import bare_environment
from tests.commands.small import command, contents

ROOT = Path(__file__).resolve().parents[2]
OTHER = "https://github.com/someone-else/my.copy_2"


def getting(task: str) -> str:
    """Return the lines of a stored notebook that get the library."""
    cells = nbformat.read(ROOT / "notebooks" / f"{task}.ipynb", as_version=4).cells
    source = next(cell.source for cell in cells if repository.GUARD in cell.source)
    return source.removesuffix(repository.without_getting(source))


def test_one_file_holds_the_address() -> None:
    """Apart from what is generated."""
    name = repository.address().removeprefix("https://github.com/")
    assert (ROOT / "pyproject.toml").read_text(encoding="utf-8").count(name) == 1
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "neoai_utils").rglob("*.py")}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    texts[ROOT / "README.md"] = report.update_section(readme, "clone", "")
    assert [path.name for path, text in texts.items() if name in text] == []


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (f"{OTHER}/", OTHER),
        ("git@github.com:someone-else/my.copy_2.git", OTHER),
        ("ssh://git@example.org:2222/a/b.git", "ssh://git@example.org:2222/a/b"),
        (" https://gitlab.com/a/b ", "https://gitlab.com/a/b"),
    ],
)
def test_addresses_are_taken_as_they_are_copied(copy: Path, given: str, written: str) -> None:
    repository.set_address(given)
    assert repository.address() == written


@pytest.mark.parametrize(
    "given", ["", "neoai", "ftp://a/b", 'https://a/b"', "https://a/b\nname = 1", "https://a/b c", "absent/"]
)
def test_what_is_no_address_is_refused(copy: Path, given: str, monkeypatch, capsys) -> None:
    before = contents(copy)
    with pytest.raises(ParameterError, match="is no address of a repository, such as https://github"):
        repository.set_address(given)
    assert command(monkeypatch, "address", given) == 1
    assert "is no address" in capsys.readouterr().err
    assert contents(copy) == before


def test_another_project_s_file_is_left_alone(copy: Path) -> None:
    (copy / "pyproject.toml").write_text('[project]\nname = "mine"\n[project.urls]\nRepository = "https://a/b"\n')
    with pytest.raises(NeoaiError, match=r"pyproject\.toml names no repository of neoai"):
        repository.set_address(OTHER)
    assert repository.address() != "https://a/b"


def test_an_installed_library_knows_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its metadata, where no `pyproject.toml` lies beside it."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repository, "_ROOT", tmp_path)
    lines = ["Homepage, https://a/c", "Repository, https://a/b"]
    monkeypatch.setattr(
        repository.importlib.metadata, "metadata", lambda _: type("M", (), {"get_all": lambda *_: lines})
    )
    assert repository.address() == "https://a/b"
    lines.pop()
    with pytest.raises(NeoaiError, match="neoai address URL"):
        repository.address()


@pytest.mark.parametrize("task", COMPETITIONS)
def test_nothing_happens_where_the_library_is(task: str, monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    namespace: dict[str, object] = {}
    exec(getting(task), namespace)
    assert namespace.keys() <= {"__builtins__", "importlib"}
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("task", COMPETITIONS)
def test_the_lines_are_short_and_name_what_the_notebook_needs(task: str) -> None:
    lines = [line for line in getting(task).splitlines() if line]
    assert len(lines) <= 16
    assert max(map(len, lines)) <= 88
    assert f'"git+{repository.address()}"' in getting(task)
    assert " ".join(imports.packages(task)) in " ".join(getting(task).split())


def test_without_a_network_one_sentence_names_the_upload(tmp_path: Path) -> None:
    """In an environment without the library, where the address does not answer; nothing is installed."""
    python = bare_environment.make(tmp_path / "environment")
    code = repository.getting("task7", "https://127.0.0.1:9/a/b", ["numpy"])
    done = subprocess.run(
        [python, "-c", code],
        cwd=tmp_path,
        env=bare_environment.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout == ""
    message = "RuntimeError: turn on Internet, or upload `neoai bundle task7`"
    assert done.stderr.splitlines()[-1] == message
    assert "During handling" not in done.stderr
