"""Data is never executed: no pickle, no code of strangers, no shell; searched for in the syntax trees of all code."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "jsonpickle"}
HARMLESS = {"UnpicklingError", "PicklingError", "PickleError"}
CALLS = {  # a call -> why it is refused
    "joblib.load": "unpickles", "pandas.read_pickle": "unpickles", "pd.read_pickle": "unpickles",
    "torch.hub.load": "runs downloaded code", "os.system": "starts a shell", "os.popen": "starts a shell",
    "eval": "runs text as code", "exec": "runs text as code", "__import__": "imports by name",
    "yaml.load": "builds any object",
}  # fmt: skip


def complaints(source: str) -> list[str]:
    """Return what a piece of code does that may execute data, with line numbers."""
    return [f"line {node.lineno}: {why}" for node in ast.walk(ast.parse(source)) for why in _wrong(node)]


def _wrong(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (f"import {a.name}" for a in node.names if a.name.partition(".")[0] in UNPICKLERS)
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in UNPICKLERS:
        yield from (f"from {node.module} import {a.name}" for a in node.names if a.name not in HARMLESS)
    if isinstance(node, ast.ImportFrom) and node.module in ("joblib", "torch", "numpy"):
        yield from (f"from {node.module} import {a.name}: write it out" for a in node.names if a.name == "load")
    if isinstance(node, ast.Dict):
        names = [key.value for key in node.keys if isinstance(key, ast.Constant)]
        yield from (f"{name} in a dict" for name in names if name in ("trust_remote_code", "allow_pickle"))
    if isinstance(node, ast.Call):
        yield from _wrong_call(ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords})


def _wrong_call(name: str, words: dict[str | None, str]) -> Iterator[str]:
    if name in CALLS:
        yield f"{name} {CALLS[name]}"
    if name.endswith(".extractall"):
        yield f"{name} lets an archive choose paths"
    if name == "torch.load" and words.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    if words.get("allow_pickle", "False") != "False" or words.get("trust_remote_code", "False") != "False":
        yield f"{name} trusts what it reads"
    if words.get("shell", "False") != "False":
        yield f"{name} starts a shell"
    if name.endswith("load_adapter") or (name.endswith("from_pretrained") and words.get("use_safetensors") == "False"):
        yield f"{name} reads pickled weights"


def test_the_library_executes_no_data() -> None:
    paths = sorted((ROOT / "neoai_utils").rglob("*.py"))
    found = {path.name: complaints(path.read_text(encoding="utf-8")) for path in paths}
    assert len(found) > 50
    assert {name: said for name, said in found.items() if said} == {}


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_execute_no_data(path: Path) -> None:
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            assert complaints(cell.source) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import cloudpickle as c",
        "from pickle import loads",
        "from dill import load",
        "import joblib\njoblib.load('x')",
        "from joblib import load",
        "np.load('x', allow_pickle=True)",
        "np.load('x', allow_pickle=trusted)",
        "torch.load('x')",
        "torch.load('x', weights_only=False)",
        "torch.load('x', weights_only=sure)",
        "from torch import load",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
        "options = {'trust_remote_code': True}",
        "Pipeline.from_pretrained('x', use_safetensors=False)",
        "pd.read_pickle('x')",
        "torch.hub.load('a/b', 'c')",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "archive.extractall()",
        "yaml.load(text)",
    ],
)
def test_what_would_execute_data_is_found(code: str) -> None:
    assert complaints(code)


@pytest.mark.parametrize(
    "code",
    [
        "from pickle import UnpicklingError",
        "from joblib import Parallel",
        "np.load('x')",
        "np.load('x', allow_pickle=False)",
        "torch.load('x', weights_only=True)",
        "model.eval()",
        "ast.literal_eval(text)",
        "json.load(file)",
        "AutoModel.from_pretrained('x')",
        "Pipeline.from_pretrained('x', use_safetensors=True)",
        "subprocess.run(['a'])",
    ],
)
def test_what_is_harmless_passes(code: str) -> None:
    assert complaints(code) == []


@pytest.mark.skipif(importlib.util.find_spec("bandit") is None, reason="bandit is not installed")
def test_bandit_has_nothing_to_say() -> None:
    command = [sys.executable, "-m", "bandit", "-q", "-c", "pyproject.toml", "-r", "neoai_utils"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
