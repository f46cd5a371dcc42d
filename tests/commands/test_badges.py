"""Badges, the lines that install the library, and the README's line that clones are those of the address."""

from __future__ import annotations

from pathlib import Path

from neoai_utils.commands import badges, repository
from neoai_utils.competitions import COMPETITIONS
from tests.commands.small import command, contents

OTHER = "https://github.com/someone-else/my.copy_2"


def test_the_notebooks_are_as_the_address_says(copy: Path) -> None:
    before = contents(copy)
    assert badges.renew() == [], "run `neoai address`"
    assert contents(copy) == before


def test_a_fork_sets_its_address_with_one_command(copy: Path, monkeypatch, capsys) -> None:
    before, old = contents(copy), repository.address()
    assert command(monkeypatch, "address", f"{OTHER}.git") == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [*(f"rewrote notebooks/{task}.ipynb" for task in COMPETITIONS), "rewrote README.md", OTHER]
    after = contents(copy)
    for name, text in before.items():
        new = after[name]
        assert (new != text) is (old in text)
        assert new == text.replace(old, OTHER).replace(
            old.removeprefix("https://github.com/"), OTHER.removeprefix("https://github.com/")
        ), name
    assert command(monkeypatch, "address", old) == 0
    assert contents(copy) == before
    capsys.readouterr()
    assert command(monkeypatch, "address") == 0
    assert capsys.readouterr().out == f"{old}\n"


def test_a_folder_is_an_address_too(copy: Path) -> None:
    """A copy that does not lie on GitHub has no badges, and says so."""
    folder = copy / "a clone"
    folder.mkdir()
    repository.set_address("a clone")
    assert repository.address() == folder.as_uri()
    badges.renew()
    text = (copy / "notebooks/task5.ipynb").read_text(encoding="utf-8")
    assert f"git+{folder.as_uri()}" in text
    assert "open-in-kaggle.svg" not in text
    assert "does not lie on GitHub" in text
