"""The layers of the library: every import leads to the same layer or a lower one, and no imports form a circle.

Imports are read from the source: also those inside functions and those for type checkers, and a package's `__init__`
counts as a module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import neoai_utils
from neoai_utils.competitions import COMPETITIONS

LIBRARY = Path(neoai_utils.__file__).parent
TASKS = frozenset(competition.technique for competition in COMPETITIONS.values())
LAYERS = ("root", "technique", "files", "miniature", "workspace", "commands")  # from the lowest to the highest
Arrow = tuple[str, str]


def modules(library: Path) -> dict[str, Path]:
    """Return the dotted name and the file of each module below a package's folder, the package included."""
    paths = {path.relative_to(library.parent).with_suffix(""): path for path in sorted(library.rglob("*.py"))}
    return {".".join(name.parts).removesuffix(".__init__"): path for name, path in paths.items()}


def imported(name: str, path: Path) -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each `from module import name`, and (module, "") of each `import module`."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((module, alias.name) for alias in node.names)


def lazy_names(path: Path) -> dict[str, str]:
    """Return name -> module from the `HOME` of a package's `__init__`."""
    lines = [node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign)]
    return next((ast.literal_eval(line.value) for line in lines if ast.unparse(line.targets[0]) == "HOME"), {})


def arrows(library: Path) -> set[Arrow]:
    """Return (importing module, imported module) for all imports inside a package.

    A name that a package loads on first use counts as an import of the module that its `HOME` names.
    """
    paths = modules(library)
    lazy = {name: lazy_names(path) for name, path in paths.items() if path.name == "__init__.py"}
    pairs: set[Arrow] = set()
    for name, path in paths.items():
        for module, attribute in imported(name, path):
            home = lazy.get(module, {}).get(attribute, attribute)
            target = f"{module}.{home}" if f"{module}.{home}" in paths else module
            if target in paths and target != name:
                pairs.add((name, target))
    return pairs


def task_of(name: str) -> str:
    """Return the task folder of a module; empty for a module outside these folders."""
    folder = (*name.split("."), "")[1]
    return folder if folder in TASKS else ""


def layer(name: str) -> str:
    """Return the layer of a module. A metric is on the layer of the techniques."""
    _, *parts = (*name.split("."), "", "")
    if task_of(name):
        return parts[1] if parts[1] in ("files", "miniature") else "technique"
    if parts[0] in ("attempts", "workspace", "miniatures", "task_modules"):
        return "workspace"
    return "commands" if parts[0] == "commands" else "root"


def upward(pairs: set[Arrow]) -> list[str]:
    """Return a line for each import that the house forbids, which names the two modules."""
    lines = []
    for source, target in sorted(pairs):
        layers = layer(source), layer(target)
        tasks = task_of(source), task_of(target)
        if LAYERS.index(layers[1]) > LAYERS.index(layers[0]):
            lines.append(f"{source} imports {target}: {layers[0]} must not import {layers[1]}")
        elif all(tasks) and tasks[0] != tasks[1]:
            lines.append(f"{source} imports {target}: a task must not import another task")
        elif layers[0] == "workspace" and tasks[1]:
            lines.append(f"{source} imports {target}: the workspace loads the tasks through importlib")
        elif tasks[0] and target.endswith(".plotting"):
            lines.append(f"{source} imports {target}: a task folder draws no plots")
    return lines


def circles(pairs: set[Arrow]) -> list[str]:
    """Return a line for each import that closes a circle: the two modules, and the way back."""
    targets: dict[str, list[str]] = {}
    for source, target in sorted(pairs):
        targets.setdefault(source, []).append(target)
    lines, closed = [], set()
    for source, target in sorted(pairs):
        way = shortest(target, source, targets)
        if way and frozenset(way) not in closed:
            closed.add(frozenset(way))
            lines.append(f"circle: {source} imports {' imports '.join(way)}")
    return lines


def shortest(start: str, end: str, targets: Mapping[str, list[str]]) -> list[str]:
    """Return the modules on the shortest way of imports from one module to another; empty if there is none."""
    ways = {start: [start]}
    waiting = [start]
    for name in waiting:
        for target in targets.get(name, []):
            if target not in ways:
                ways[target] = [*ways[name], target]
                waiting.append(target)
    return ways.get(end, [])


def test_imports_form_no_circle() -> None:
    lines = circles(arrows(LIBRARY))
    assert not lines, "\n".join(lines)


def test_imports_lead_to_the_same_layer_or_a_lower_one() -> None:
    lines = upward(arrows(LIBRARY))
    assert not lines, "\n".join(lines)


def test_modules_are_loaded_by_name_in_three_places_only() -> None:
    """`importlib` hides imports from the tests above: two packages load their names, the workspace its tasks."""
    users = {name for name, path in modules(LIBRARY).items() if "import_module(" in path.read_text(encoding="utf-8")}
    assert users == {"neoai_utils", "neoai_utils.offline", "neoai_utils.task_modules"}


SOUND = {
    "__init__.py": "import importlib\nHOME = {'open_workspace': 'workspace'}",
    "errors.py": "",
    "plotting.py": "from neoai_utils import errors",
    "storage.py": "def f():\n    from neoai_utils.errors import Error",
    "offline/__init__.py": "from neoai_utils.offline.assets import fetch",
    "offline/assets.py": "from neoai_utils import storage",
    "tabular/__init__.py": "",
    "tabular/metric.py": "from neoai_utils import errors",
    "tabular/ridge.py": "from neoai_utils.tabular.metric import grade\nfrom neoai_utils import offline",
    "tabular/models/__init__.py": "",
    "tabular/models/trees.py": "from neoai_utils.tabular import ridge",
    "tabular/files.py": "from neoai_utils.tabular import metric, ridge",
    "tabular/miniature/__init__.py": "from neoai_utils.tabular import files\n"
    "from neoai_utils.tabular.miniature import drawings",
    "tabular/miniature/drawings.py": "from neoai_utils.tabular import ridge",
    "diffusion/__init__.py": "",
    "diffusion/judge.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from neoai_utils import storage",
    "workspace.py": "from neoai_utils import storage",
    "commands/__init__.py": "",
    "commands/run.py": "from neoai_utils import plotting, workspace\nfrom neoai_utils.commands import report",
    "commands/report.py": "",
}
# file -> the import that is added to it, and the line that must name it
FAULTS = {
    "a technique imports files": (
        "tabular/ridge.py", "from neoai_utils.tabular import files",
        "neoai_utils.tabular.ridge imports neoai_utils.tabular.files: technique must not import files",
    ),
    "a metric imports files, in a function": (
        "tabular/metric.py", "def f():\n    from neoai_utils.tabular.files import read",
        "neoai_utils.tabular.metric imports neoai_utils.tabular.files: technique must not import files",
    ),
    "a technique in a subfolder imports a miniature": (
        "tabular/models/trees.py", "from neoai_utils.tabular.miniature.drawings import draw",
        "neoai_utils.tabular.models.trees imports neoai_utils.tabular.miniature.drawings: technique must not import "
        "miniature",
    ),
    "a technique imports the package of a miniature": (
        "diffusion/judge.py", "import neoai_utils.tabular.miniature",
        "neoai_utils.diffusion.judge imports neoai_utils.tabular.miniature: technique must not import miniature",
    ),
    "a technique imports the workspace, for type checkers": (
        "diffusion/judge.py", "if TYPE_CHECKING:\n    from neoai_utils.workspace import Workspace",
        "neoai_utils.diffusion.judge imports neoai_utils.workspace: technique must not import workspace",
    ),
    "a technique imports the workspace, by a lazy name": (
        "diffusion/judge.py", "from neoai_utils import open_workspace",
        "neoai_utils.diffusion.judge imports neoai_utils.workspace: technique must not import workspace",
    ),
    "a technique imports a command": (
        "diffusion/judge.py", "from neoai_utils.commands.run import Run",
        "neoai_utils.diffusion.judge imports neoai_utils.commands.run: technique must not import commands",
    ),
    "a technique imports another task": (
        "diffusion/judge.py", "from neoai_utils.tabular.ridge import fit",
        "neoai_utils.diffusion.judge imports neoai_utils.tabular.ridge: a task must not import another task",
    ),
    "a technique imports another task, relatively": (
        "diffusion/judge.py", "from ..tabular import ridge",
        "neoai_utils.diffusion.judge imports neoai_utils.tabular.ridge: a task must not import another task",
    ),
    "a technique draws": (
        "diffusion/judge.py", "from neoai_utils.plotting import image_grid",
        "neoai_utils.diffusion.judge imports neoai_utils.plotting: a task folder draws no plots",
    ),
    "files import a miniature": (
        "tabular/files.py", "from neoai_utils.tabular.miniature import Recipe",
        "neoai_utils.tabular.files imports neoai_utils.tabular.miniature: files must not import miniature",
    ),
    "a miniature imports the workspace": (
        "tabular/miniature/drawings.py", "from neoai_utils import workspace",
        "neoai_utils.tabular.miniature.drawings imports neoai_utils.workspace: miniature must not import workspace",
    ),
    "a task's package imports its files": (
        "tabular/__init__.py", "from neoai_utils.tabular import files",
        "neoai_utils.tabular imports neoai_utils.tabular.files: technique must not import files",
    ),
    "a root module imports a task": (
        "storage.py", "from neoai_utils.tabular import ridge",
        "neoai_utils.storage imports neoai_utils.tabular.ridge: root must not import technique",
    ),
    "a root package imports a task's package": (
        "offline/assets.py", "import neoai_utils.diffusion",
        "neoai_utils.offline.assets imports neoai_utils.diffusion: root must not import technique",
    ),
    "a root module imports the workspace": (
        "storage.py", "from neoai_utils import workspace",
        "neoai_utils.storage imports neoai_utils.workspace: root must not import workspace",
    ),
    "the workspace imports a task": (
        "workspace.py", "from neoai_utils.tabular import files",
        "neoai_utils.workspace imports neoai_utils.tabular.files: the workspace loads the tasks through importlib",
    ),
    "the workspace imports a command": (
        "workspace.py", "from neoai_utils import commands",
        "neoai_utils.workspace imports neoai_utils.commands: workspace must not import commands",
    ),
    "a circle of two": (
        "tabular/metric.py", "from neoai_utils.tabular import ridge",
        "circle: neoai_utils.tabular.metric imports neoai_utils.tabular.ridge imports neoai_utils.tabular.metric",
    ),
    "a circle of three, in a function": (
        "errors.py", "def f():\n    from neoai_utils.offline.assets import fetch",
        "circle: neoai_utils.errors imports neoai_utils.offline.assets imports neoai_utils.storage imports "
        "neoai_utils.errors",
    ),
    "a circle for type checkers": (
        "commands/report.py", "if TYPE_CHECKING:\n    from neoai_utils.commands.run import Run",
        "circle: neoai_utils.commands.report imports neoai_utils.commands.run imports neoai_utils.commands.report",
    ),
    "a circle through a package": (
        "offline/assets.py", "from neoai_utils.offline import fetch",
        "circle: neoai_utils.offline imports neoai_utils.offline.assets imports neoai_utils.offline",
    ),
}  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write a small sound library and return its folder."""
    for name, text in SOUND.items():
        path = tmp_path / "neoai_utils" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    return tmp_path / "neoai_utils"


def faults(library: Path) -> list[str]:
    pairs = arrows(library)
    return upward(pairs) + circles(pairs)


def test_a_sound_library_passes(small: Path) -> None:
    assert faults(small) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named(fault: str, small: Path) -> None:
    name, code, line = FAULTS[fault]
    with (small / name).open("a", encoding="utf-8") as file:
        file.write(code + "\n")
    assert line in faults(small)
