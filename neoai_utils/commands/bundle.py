"""Uploads for Kaggle: a notebook that carries the modules it needs, and the `kernel-metadata.json` beside it.

Kaggle takes one file. So every module that the notebook reaches through its imports, also those made inside functions,
goes into a collapsed cell of its own: `%%writefile` and then the module as it is, byte for byte, written below the
working folder and imported from there. No code is packed, and nothing is executed that cannot be read.

A bundle plays the competition's own files, which Kaggle mounts, so a miniature's code and data stay behind (the code
comes along where the notebook imports it by name). Of the files in a `data` folder those travel that are named in a
module which the notebook itself imports, such as the photographs that task 7 looks at and their credits: short text in
readable cells, long text packed, the rest as base85.
"""

from __future__ import annotations

import ast
import functools
import json
import re
import zlib
from base64 import b85encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neoai_utils
from neoai_utils import competitions, installing, storage
from neoai_utils.commands import books, headless
from neoai_utils.errors import DataError, NeoaiError

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["ABSENT", "LIMIT", "NEEDS", "TAG", "Bundle", "Needs", "bundle", "collect", "metadata", "packages", "write"]

LIMIT = 1_000_000  # bytes of a notebook
TAG = "neoai-library"
USER = "INSERT_USERNAME_HERE"
_ROOT = Path(__file__).resolve().parents[2]
_PACKAGE = "neoai_utils"
_INSTALLING = f"{_PACKAGE}.installing"  # imported by the cell that installs
_COLLAPSED = {
    "_kg_hide-input": True,
    "_kg_hide-output": True,
    "jupyter": {"source_hidden": True, "outputs_hidden": True},
    "tags": [TAG],
}
_LINE = 1000  # characters of base85 a line
_READABLE = 2**16  # bytes; longer text, such as a list of a thousand photographers, takes too much of the limit
# import name -> requirement, as in requirements.txt, of what Kaggle's image does not have
ABSENT = {
    "gguf": "gguf>=0.13",
    "hassil": "hassil>=3.0",
    "open_clip": "open_clip_torch>=2.30",
    "sae_lens": "sae-lens>=6.39",
    "seqeval": "seqeval>=1.2.2",
}


@dataclass(frozen=True)
class Needs:
    """What a notebook asks of its host on the competition's own files.

    Attributes:
        gpu: it trains or runs a network that takes hours on a CPU.
        online: what it fetches from the network; empty: nothing.
        attach: what a user should attach on Kaggle beside the competition, in a sentence or two.
        spare: import names of packages without which it goes on.
        unused: import names of packages that it reaches and does not use without the answers.
        when: import names of packages that it uses for some parameters only, and the condition in Python.
    """

    gpu: bool = False
    online: str = ""
    attach: str = ""
    spare: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    when: Mapping[str, str] = field(default_factory=dict)


NEEDS = {
    "task1": Needs(),
    "task2": Needs(gpu=True),
    "task3": Needs(
        gpu=True,
        online="google/gemma-2-2b, its sparse autoencoders, the detector and MiniLM",
        attach="Gemma's licence must be accepted: on Kaggle, attach the model google/gemma-2 (framework Transformers, "
        "variation gemma-2-2b), which is found by itself, or add a secret HF_TOKEN. Attach hc3.csv as a dataset, too.",
    ),
    "task4": Needs(online="EfficientNet-Lite0"),
    "task5": Needs(online="the broken BERT"),
    "task6": Needs(
        gpu=True,
        online="Stable Diffusion 1.5 and the judge",
        attach="Instead, a model or dataset that holds the pipeline (a folder stable-diffusion-v1-5 with "
        "model_index.json) can be attached; a folder of another name goes into the parameter model.",
        spare=("open_clip",),
        when={"open_clip": 'str(judge).startswith(("given", "open_clip:"))'},
    ),
    "task7": Needs(
        gpu=True,
        online="CLIP, unless it is attached as a model",
        when={"open_clip": 'str(backbone).startswith("open_clip:")'},
    ),
    "task8": Needs(gpu=True, online="the encoder", unused=("seqeval",)),
}


@dataclass(frozen=True)
class Bundle:
    """What a notebook takes along.

    Attributes:
        modules: paths of its modules below the repository, sorted, such as "neoai_utils/runtime.py".
        data: paths of its data files, sorted.
        packages: import names of packages that Kaggle's image does not have, sorted.
    """

    modules: tuple[str, ...]
    data: tuple[str, ...]
    packages: tuple[str, ...]

    @property
    def files(self) -> tuple[str, ...]:
        """All paths."""
        return self.modules + self.data


def write(task: str | int, folder: Path, user: str = USER) -> Path:
    """Write `<folder>/<task>/<task>.ipynb` and `kernel-metadata.json`; return their folder.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here or holds code that is no Python.
        NeoaiError: the notebook would be larger than `LIMIT`, or the folder cannot be written.
    """
    name = competitions.find(task).task
    content, facts = bundle(name), metadata(name, user)
    target = folder / name
    with storage.atomic_path(target / f"{name}.ipynb") as temporary:
        temporary.write_bytes(content)
    with storage.atomic_path(target / "kernel-metadata.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8", newline="\n")
    return target


def bundle(task: str | int) -> bytes:
    """Return the notebook that needs no library: the same story with the modules behind the parameters.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here, holds code that is no Python, or no cell has the tag `parameters`.
        NeoaiError: the result is larger than `LIMIT`.
    """
    import nbformat

    name = competitions.find(task).task
    book, taken = _story(name), collect(name)
    parameters = books.parameters_place(book, headless.find_notebook(name))
    book.cells[parameters + 1 : parameters + 1] = _library(name, taken)
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:03d}"
    content = f"{nbformat.writes(book, version=4)}\n".encode()
    if len(content) > LIMIT:
        raise NeoaiError(
            f"{name}.ipynb would have {len(content):,} bytes, and Kaggle takes {LIMIT:,}; the largest part is "
            f"{max(taken.files, key=lambda path: (_ROOT / path).stat().st_size)}. Import less in the notebook."
        )
    return content


def metadata(task: str | int, user: str = USER) -> dict[str, Any]:
    """Return the content of `kernel-metadata.json`.

    The last part of `id` is the title as Kaggle spells it in addresses; another one makes Kaggle warn.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here or holds code that is no Python.
    """
    facts = competitions.find(task)
    needs = NEEDS[facts.task]
    title = f"neoai {facts.number} {facts.title}"
    return {
        "id": f"{user}/{re.sub(r'[^a-z0-9]+', '-', title.lower())}",
        "title": title,
        "code_file": f"{facts.task}.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": needs.gpu,
        # The default, a P100, has no kernels in the torch of the image.
        **({"machine_shape": "NvidiaTeslaT4"} if needs.gpu else {}),
        "enable_internet": bool(needs.online or collect(facts.task).packages),
        "competition_sources": [facts.slug],
        "dataset_sources": [],
        "kernel_sources": [],
        "model_sources": [],
    }


def collect(task: str | int) -> Bundle:
    """Return the files and packages that a task's notebook needs on the competition's own files.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here or holds code that is no Python.
    """
    facts = competitions.find(task)
    own = set(_imports_of(_story(facts.task)))
    # The workspace imports a task's `files` by name.
    reached = _closure(own | {f"{_PACKAGE}.{facts.technique}.files"})
    packages = ({name.partition(".")[0] for name in reached} & ABSENT.keys()) - set(NEEDS[facts.task].unused)
    if packages:
        reached |= _closure({_INSTALLING})
    paths = {name: path for name in reached if (path := _path(name)) is not None}
    data = {found for name in own & paths.keys() for found in _data_named_in(paths[name])}
    modules = sorted(path.relative_to(_ROOT).as_posix() for path in paths.values())
    return Bundle(tuple(modules), tuple(sorted(data)), tuple(sorted(packages)))


def packages(task: str | int) -> list[str]:
    """Return the import names of those required packages that a notebook's play reaches, also on a miniature.

    Modules that only a package's `__init__` imports count with what they import at once, and not with what their
    functions would import.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here or holds code that is no Python.
        NeoaiError: the library is not installed.
    """
    facts = competitions.find(task)
    rooms = [f"{_PACKAGE}.{facts.technique}.{room}" for room in ("files", "miniature")]
    waiting = [(name, True) for tree in _trees(_story(facts.task)) for name in [*_imports(tree), *_named(tree)]]
    waiting += [(room, True) for room in rooms]
    reached: set[tuple[str, bool]] = set()
    while waiting:
        name, used = waiting.pop()
        name = _origin(name)
        if (name, used) in reached:
            continue
        reached.add((name, used))
        if parent := name.rpartition(".")[0]:
            waiting.append((parent, False))
        if (path := _path(name)) is not None:
            tree = _tree(path)
            used = used and path.name != "__init__.py"
            waiting += [(other, used) for other in _imports(tree, used)]
            waiting += [(other, used) for other in _named(tree) if used]
    tops = {name.partition(".")[0] for name, _ in reached} - {_PACKAGE}
    return sorted(top for top in tops if installing.requirement(top))


def _origin(name: str) -> str:
    """Return the module that a package's `__init__` takes a name from; for other names, the name."""
    package, _, last = name.rpartition(".")
    path = _path(package)
    if path is None or path.name != "__init__.py":
        return name
    nodes = [node for node in _tree(path).body if isinstance(node, ast.ImportFrom)]
    return next((node.module for node in nodes if node.module and last in {a.name for a in node.names}), name)


def _named(tree: ast.AST) -> Iterator[str]:
    """Yield what code reaches without importing it by name.

    That are attributes, `offline.fetch` for `neoai_utils.offline.fetch` (other names lead nowhere), and the packages
    that transformers imports: `need("gguf", purpose=…)`.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{_PACKAGE}.{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "need":
            yield from (str(word.value) for word in node.args if isinstance(word, ast.Constant))


def _story(task: str) -> NotebookNode:
    """Read a notebook and clear what Kaggle would clear: outputs and counts."""
    book = books.read(headless.find_notebook(task))
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return book


def _imports_of(book: NotebookNode) -> Iterator[str]:
    """Yield what the code cells import."""
    for tree in _trees(book):
        yield from _imports(tree)


def _trees(book: NotebookNode) -> Iterator[ast.AST]:
    """Yield the code cells' syntax trees."""
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "code":
            try:
                yield ast.parse(cell.source)
            except SyntaxError as error:
                raise DataError(f"cell {number} is no plain Python: {error}. Write it without magics.") from error


def _imports(tree: ast.AST, deep: bool = True) -> Iterator[str]:
    """Yield the dotted names that code may import, if `deep` also in functions.

    What only type checkers see is left out, and packages of others that code goes on without. `from a import b` yields
    both `a` and `a.b`, which may be a module or not.
    """
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (_home(node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (name for other in node.orelse for name in _imports(other, deep))
        elif deep or not isinstance(node, ast.FunctionDef):
            names = _imports(node, deep)
            yield from (name for name in names if name.startswith(_PACKAGE)) if _goes_on(node) else names


def _goes_on(node: ast.AST) -> bool:
    """Tell whether this is a `try` that takes a missing package without an error."""
    handlers = node.handlers if isinstance(node, ast.Try) else []
    catching = [
        h for h in handlers if h.type is not None and ast.unparse(h.type) in ("ImportError", "ModuleNotFoundError")
    ]
    return bool(catching) and not any(isinstance(part, ast.Raise) for h in catching for part in ast.walk(h))


def _home(module: str, name: str) -> str:
    """Return the dotted name; the package's lazy names (`from neoai_utils import check`) stand for their modules."""
    return f"{module}.{neoai_utils.HOME.get(name, name) if module == _PACKAGE else name}"


def _closure(names: Iterable[str]) -> set[str]:
    """Return `names` and all that their modules import; importing `a.b` runs `a` first, so parents count."""
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


def _tree(path: Path) -> ast.Module:
    """Parse a module, once for each state of its file."""
    return _parsed(path, path.stat().st_mtime_ns)


@functools.cache
def _parsed(path: Path, _changed: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _path(name: str) -> Path | None:
    """Return the file of one of our modules; None for what is none."""
    if name.partition(".")[0] != _PACKAGE:
        return None
    place = _ROOT.joinpath(*name.split("."))
    return next((p for p in (place / "__init__.py", place.with_suffix(".py")) if p.is_file()), None)


def _data_named_in(module: Path) -> list[str]:
    """Return the files of the `data` folder beside a module that its text names."""
    text = module.read_text(encoding="utf-8")
    found = sorted((module.parent / "data").glob("*"))
    return [path.relative_to(_ROOT).as_posix() for path in found if path.name in text]


def _library(task: str, taken: Bundle) -> list[NotebookNode]:
    """Return the cells that make the folders, write the files and install."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    sources = [_folders_cell(taken.files), *map(_module_cell, taken.modules), *map(_data_cell, taken.data)]
    cells = [new_markdown_cell(_introduction(task), metadata={"tags": [TAG]})]
    cells += [new_code_cell(source, metadata=_COLLAPSED) for source in sources]
    if taken.packages:
        cells.append(new_code_cell(_install_cell(task, taken.packages), metadata={"tags": [TAG]}))
    return cells


def _introduction(task: str) -> str:
    needs = NEEDS[task]
    text = (
        "## The library\n\n"
        "The collapsed cells below hold the modules of `neoai_utils` that this notebook uses, as they are. They are "
        "written to the working folder and imported from there, so no library need be attached."
    )
    told = [f"Internet must be on for {needs.online}."] if needs.online else []
    return " ".join([text, *told, needs.attach]).rstrip()


def _install_cell(task: str, names: Sequence[str]) -> str:
    """Return the cell that installs what the host lacks; the packages for some parameters come last."""
    needs = NEEDS[task]
    kinds = {name: "spare" if name in needs.spare else "needed" for name in names}
    always = [name for name in names if name not in needs.when]
    needed, spare = ({name: ABSENT[name] for name in always if kinds[name] == kind} for kind in ("needed", "spare"))
    return "\n".join([
        "# What Kaggle's image does not have; what it has stays as it is.",
        "from neoai_utils import installing\n",
        f"needed, spare = {json.dumps(needed)}, {json.dumps(spare)}",
        *(f"if {test}:\n    {kinds[name]}[{json.dumps(name)}] = {json.dumps(ABSENT[name])}"
          for name, test in needs.when.items() if name in kinds),
        "installing.provide(needed, spare)",
    ])  # fmt: skip


def _folders_cell(paths: Iterable[str]) -> str:
    folders = sorted({Path(path).parent.as_posix() for path in paths})
    return (
        "# The next cells write the library here; it is imported from this folder.\n"
        "import sys\n"
        "from pathlib import Path\n\n"
        f"for name in {json.dumps(folders)}:\n"
        "    Path(name).mkdir(parents=True, exist_ok=True)\n"
        "sys.path.insert(0, str(Path.cwd()))"
    )


def _module_cell(path: str) -> str:
    return f"%%writefile {path}\n{(_ROOT / path).read_bytes().decode()}"


def _base85(content: bytes) -> str:
    text = b85encode(content).decode()  # no quote and no backslash in its alphabet
    return "\n".join(text[start : start + _LINE] for start in range(0, len(text), _LINE))


def _packed_cell(path: str, content: bytes) -> str:
    """Return a cell that writes a long text, which is packed to about a third."""
    lines = _base85(zlib.compress(content, 9))
    return (
        f"# {path}, {len(content):,} bytes of text, packed\n"
        "from base64 import b85decode\nfrom zlib import decompress\n\n"
        f'Path("{path}").write_bytes(decompress(b85decode("""{lines}""".replace("\\n", ""))));'
    )


def _data_cell(path: str) -> str:
    content = (_ROOT / path).read_bytes()
    if path.endswith((".json", ".md", ".txt")) and content.endswith(b"\n"):
        return _module_cell(path) if len(content) <= _READABLE else _packed_cell(path, content)
    lines = _base85(content)
    return (
        f"# {path}, {len(content):,} bytes\n"
        "from base64 import b85decode\n\n"
        f'Path("{path}").write_bytes(b85decode("""{lines}""".replace("\\n", "")));'
    )
