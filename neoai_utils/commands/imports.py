"""What a notebook's imports reach: modules of the library, their data files, and packages.

Imports are read from the source; nothing is imported. Two questions are answered. `collect` returns what the notebook
needs on the competition's own files: an upload carries it. `packages` returns the packages that a run may need, also on
a miniature: the first cell of a stored notebook installs them.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from neoai_utils import installing
from neoai_utils.commands import notebooks
from neoai_utils.competitions import ABSENT, COMPETITIONS
from neoai_utils.errors import DataError

__all__ = ["BASELINE_TAG", "MINIATURE_TAG", "ROOT", "Contents", "collect", "packages"]

MINIATURE_TAG = "miniature"
"""Tag of cells that do nothing on the competition's own files: an upload does not carry what they import."""

BASELINE_TAG = "baseline"
"""Tag of the cell that records the organisers' baseline: a practice notebook copies the story up to it."""

ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = "neoai_utils"
_INSTALLING = f"{_PACKAGE}.installing"  # imported by the cell that installs


@dataclass(frozen=True)
class Contents:
    """What an upload carries.

    Attributes:
        modules: paths of modules below the repository, sorted, such as "neoai_utils/runtime.py".
        data: paths of data files below the repository, sorted.
        packages: import names of packages that Kaggle's image lacks, sorted.
    """

    modules: tuple[str, ...]
    data: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Return all paths."""
        return self.modules + self.data


def collect(task: str) -> Contents:
    """Return the files and packages that a task's notebook needs on the competition's own files.

    Raises:
        DataError: the notebook is missing or holds code that is no Python.
    """
    facts = COMPETITIONS[task]
    imported = {name for tree in _trees(task, without=MINIATURE_TAG) for name in _imports(tree)}
    # The workspace imports a task's `files` through importlib.
    reached = _closure(imported | {f"{_PACKAGE}.{facts.technique}.files"})
    absent = {name.partition(".")[0] for name in reached} & (ABSENT - set(facts.needs.unused))
    if absent:
        reached |= _closure({_INSTALLING})
    paths = {name: path for name in reached if (path := _path(name)) is not None}
    data = {file for name in imported & paths.keys() for file in _data_named_in(paths[name])}
    modules = sorted(path.relative_to(ROOT).as_posix() for path in paths.values())
    return Contents(tuple(modules), tuple(sorted(data)), tuple(sorted(absent)))


def packages(task: str) -> list[str]:
    """Return the import names of the required packages that a notebook's run reaches, also on a miniature.

    Raises:
        DataError: the notebook is missing or holds code that is no Python.
        NeoaiError: the library is not installed.
    """
    folder = f"{_PACKAGE}.{COMPETITIONS[task].technique}"
    imported = {name for tree in _trees(task) for name in _imports(tree)}
    # The workspace imports these two through importlib.
    reached = _closure(imported | {f"{folder}.files", f"{folder}.miniature"})
    tops = {name.partition(".")[0] for name in reached} - {_PACKAGE}
    return sorted(top for top in tops if installing.requirement(top))


def _trees(task: str, without: str = "") -> Iterator[ast.AST]:
    """Yield the syntax trees of a notebook's code cells, but for those with a tag."""
    for number, cell in enumerate(notebooks.read(notebooks.find_notebook(task)).cells):
        if cell.cell_type == "code" and without not in cell.metadata.get("tags", []):
            try:
                yield ast.parse(cell.source)
            except SyntaxError as error:
                raise DataError(f"cell {number} is no plain Python: {error}. Write it without magics.") from error


def _imports(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that code may import, also inside functions.

    Imports for type checkers are left out, and so are packages of others whose absence the code handles.
    `from a import b` yields `a` and `a.b`, whether or not the latter is a module.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (_dotted(node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (name for other in node.orelse for name in _imports(other))
        else:
            names = [*_used(node), *_imports(node)]
            yield from (name for name in names if name.startswith(_PACKAGE)) if _handles_absence(node) else names


def _used(node: ast.AST) -> Iterator[str]:
    """Yield what a node reaches without importing it by name.

    These are the modules of names that a package loads on first use, `offline.fetch`, and the packages that
    transformers imports, `need("gguf", purpose=…)`.
    """
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        package = f"{_PACKAGE}.{node.value.id}"
        if node.attr in _lazy_names(package):
            yield _dotted(package, node.attr)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "need":
        yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))


def _handles_absence(node: ast.AST) -> bool:
    """Return whether this is a `try` that handles a missing package without raising an error."""
    handlers = node.handlers if isinstance(node, ast.Try) else []
    catching = [
        h for h in handlers if h.type is not None and ast.unparse(h.type) in ("ImportError", "ModuleNotFoundError")
    ]
    return bool(catching) and not any(isinstance(part, ast.Raise) for h in catching for part in ast.walk(h))


def _dotted(package: str, name: str) -> str:
    """Return the dotted name; for a name that a package loads on first use (`offline.fetch`), that of its module."""
    return f"{package}.{_lazy_names(package).get(name, name)}"


def _lazy_names(package: str) -> dict[str, str]:
    """Return name -> module of the names that a package loads on first use, from the `HOME` of its `__init__`."""
    path = _path(package)
    if path is None or path.name != "__init__.py":
        return {}
    lines = [node for node in _tree(path).body if isinstance(node, ast.Assign)]
    homes = [line.value for line in lines if ast.unparse(line.targets[0]) == "HOME"]
    return dict(ast.literal_eval(homes[0])) if homes else {}


def _closure(names: Iterable[str]) -> set[str]:
    """Return `names` and all that their modules import; parents count too, since importing `a.b` runs `a` first."""
    reached: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        if parent := name.rpartition(".")[0]:
            waiting.append(parent)
        if (path := _path(name)) is not None:
            waiting += _imports(_tree(path))
    return reached


def _path(name: str) -> Path | None:
    """Return the file of a module of the library; None for any other name."""
    if name.partition(".")[0] != _PACKAGE:
        return None
    base = ROOT.joinpath(*name.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _tree(path: Path) -> ast.Module:
    """Parse a module, once for each state of its file."""
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, _changed: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _data_named_in(module: Path) -> list[str]:
    """Return the files in the `data` folder beside a module that its source names."""
    text = module.read_text(encoding="utf-8")
    files = sorted((module.parent / "data").glob("*"))
    return [path.relative_to(ROOT).as_posix() for path in files if path.name in text]
