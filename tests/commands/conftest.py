"""What the tests of several commands share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from neoai_utils.commands import imports
from tests.commands.small import put

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change into a folder with an empty notebooks/; return the latter."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notebooks").mkdir()
    return tmp_path / "notebooks"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a made-up repository in which task 5's notebook imports `a` and one lazy name."""
    files = {
        "__init__.py": '"""Root."""\nimport json\nHOME = {"check": "parameters"}\n',
        "a.py": "import os\ndef f():\n    from neoai_utils.b import g\n",
        "b.py": "import typing as t\nif t.TYPE_CHECKING:\n    import neoai_utils.typed\nelse:\n    import lightgbm\n",
        "parameters.py": "x = 1\n",
        "typed.py": "",
        "unused.py": "",
        "installing.py": "",
        "deep/__init__.py": "",
        "deep/c.py": "import seqeval.metrics\n",
        "embeddings/__init__.py": "",
        "embeddings/files.py": "from neoai_utils.deep import c\nNAME = 'other.bin'\n",
        "embeddings/miniature.py": "",
        "embeddings/pictures.py": "NAME = 'pictures.bin'\n'''credits.md'''\n",
        "embeddings/data/pictures.bin": "\0\1",
        "embeddings/data/credits.md": "thanks\n",
        "embeddings/data/other.bin": "",
        "embeddings/data/README.md": "",
    }
    for name, text in files.items():
        path = tmp_path / "neoai_utils" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    code = "from neoai_utils import a, check\nfrom neoai_utils.embeddings import pictures"
    put(tmp_path, code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(imports, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change into a copy of the files that hold the address."""
    for name in ("README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    monkeypatch.chdir(tmp_path)
    return tmp_path
