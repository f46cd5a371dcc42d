"""Uploads: the right modules, byte for byte, in a notebook that needs no library, and metadata that Kaggle takes."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from packaging.requirements import Requirement

from neoai_utils import competitions, installing
from neoai_utils.commands import bundle, cli, headless
from neoai_utils.errors import DataError, NeoaiError, UnknownTaskError

ROOT = Path(__file__).resolve().parent.parent
TASKS = headless.available()
IMAGES = list(csv.DictReader((Path(__file__).parent / "hosted_images.csv").open(encoding="utf-8")))
PYTHON_NAMES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "open_clip": "open-clip-torch",
}
# Of packages that ours bring along: each is required by matplotlib or transformers, or is Kaggle's own.
BROUGHT = {"cycler", "huggingface-hub", "kaggle-secrets", "tokenizers"}


def library(content: bytes) -> list:
    book = nbformat.reads(content.decode(), as_version=4)
    nbformat.validate(book)
    return [cell for cell in book.cells if bundle.TAG in cell.metadata.get("tags", [])]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a made-up repository in which task 5's notebook imports `a` and one lazy name."""
    files = {
        "__init__.py": '"""Root."""\nimport json\n',
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
    monkeypatch.setattr(bundle, "_ROOT", tmp_path)
    return tmp_path


def put(folder: Path, *code: str) -> None:
    (folder / "notebooks").mkdir(exist_ok=True)
    parameters = new_code_cell('out_dir: str = ""', metadata={"tags": ["parameters"]})
    kernel = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    cells = [new_markdown_cell("# Title"), parameters, *map(new_code_cell, code)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / "notebooks/task5.ipynb")


def test_what_a_notebook_needs_is_found(small: Path) -> None:
    """Lazy imports, parents, the task's files and lazy names count; what type checkers see and miniatures do not."""
    found = bundle.collect("task5")
    names = ["__init__", "a", "b", "deep/__init__", "deep/c"]
    names += [f"embeddings/{name}" for name in ("__init__", "files", "pictures")] + ["installing", "parameters"]
    assert found.modules == tuple(f"neoai_utils/{name}.py" for name in names)
    assert found.data == tuple(f"neoai_utils/embeddings/data/{name}" for name in ("credits.md", "pictures.bin"))
    assert found.packages == ("seqeval",)


def test_long_text_is_packed_and_comes_out_as_it_was(small: Path) -> None:
    credits = small / "neoai_utils/embeddings/data/credits.md"
    credits.write_text("thanks to a person with a long name – äöü\n" * 5000, encoding="utf-8")
    told = credits.read_bytes()
    cell = next(
        cell.source for cell in library(bundle.bundle(5)) if cell.source.startswith("# neoai_utils/embeddings/data/cr")
    )
    assert len(cell) < len(told) / 10
    credits.unlink()
    exec(cell, {"Path": Path})
    assert credits.read_bytes() == told


def test_the_order_of_cells(small: Path) -> None:
    cells = nbformat.reads(bundle.bundle(5).decode(), as_version=4).cells
    assert cells[1].metadata.tags == ["parameters"]
    assert cells[2].source.startswith("## The library")
    installs = 'needed, spare = {"seqeval": "seqeval>=1.2.2"}, {}\ninstalling.provide(needed, spare)'
    assert cells[-2].source.endswith(installs)
    assert cells[-1].source.startswith("from neoai_utils import a")
    assert len(cells) == 4 + 2 + 10 + 2


def test_code_that_is_no_python_is_told(small: Path) -> None:
    put(small, "import neoai_utils", "%pip install x")
    with pytest.raises(DataError, match="cell 3 is no plain Python"):
        bundle.bundle("task5")


def test_a_notebook_that_grew_too_large_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LIMIT", 2000)
    with pytest.raises(NeoaiError, match=r"task5.ipynb would have [\d,]+ bytes, and Kaggle takes 2,000"):
        bundle.write("task5", small / "dist")
    assert not (small / "dist").exists()


def test_unknown_and_missing_notebooks(small: Path) -> None:
    with pytest.raises(UnknownTaskError, match="did you mean task7"):
        bundle.write("task77", small)
    with pytest.raises(DataError, match="task7.ipynb does not exist"):
        bundle.write("task7", small)


def test_a_bundle_runs_where_there_is_no_library(tmp_path: Path, monkeypatch, bare) -> None:
    """Nor a network: what the image has not is installed already."""
    guard = "from neoai_utils import parameters\nparameters.check(globals())"
    code = (
        "import seqeval\nfrom neoai_utils import competitions\nprint(competitions.find(7).slug, competitions.__file__)"
    )
    put(tmp_path, guard, code)
    monkeypatch.chdir(tmp_path)
    made = tmp_path / "bare.ipynb"
    bare(bundle.bundle("task5"), False, made)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert headless.execute(made, tmp_path / "done.ipynb", {}) is None
    outputs = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[-1].outputs
    said = "".join(output.text for output in outputs)  # a busy machine cuts one print into several
    assert "did you mean out_dir" in headless.execute(made, tmp_path / "wrong.ipynb", {"out_dri": "x"})
    assert said.split() == ["neoai-2025-cuties-segmentation", str(tmp_path / "empty/neoai_utils/competitions.py")]
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["neoai_utils"]


@pytest.mark.parametrize("task", TASKS)
def test_modules_stand_in_the_notebook_as_they_are(task: str) -> None:
    content, taken = bundle.bundle(task), bundle.collect(task)
    assert len(content) <= bundle.LIMIT
    assert content == bundle.bundle(task)
    cells = [cell for cell in library(content) if cell.cell_type == "code" and "installing.provide" not in cell.source]
    assert all(cell.metadata["_kg_hide-input"] and cell.metadata["jupyter"]["source_hidden"] for cell in cells)
    inlined = dict(re.findall(r"\A%%writefile (\S+)\n(.*)\Z", cell.source, re.DOTALL)[0] for cell in cells
                   if cell.source.startswith("%%writefile"))  # fmt: skip
    assert set(taken.modules) <= set(inlined) <= set(taken.files)
    for path, text in inlined.items():
        assert text.encode() == (ROOT / path).read_bytes(), path


@pytest.mark.parametrize("task", TASKS)
def test_the_story_is_unchanged(task: str) -> None:
    told = nbformat.read(headless.find_notebook(task), as_version=4).cells
    carried = nbformat.reads(bundle.bundle(task).decode(), as_version=4).cells
    kept = [cell for cell in carried if bundle.TAG not in cell.metadata.get("tags", [])]
    assert [(cell.cell_type, cell.source) for cell in kept] == [(cell.cell_type, cell.source) for cell in told]
    assert not any(cell.get("outputs") for cell in carried)


# One process for all tasks: torch is imported once.
UNPACK = """
import json
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.io import capture_output

for task in json.loads(sys.argv[1]):
    folder = pathlib.Path(sys.argv[2], task).resolve()
    os.chdir(folder)
    with capture_output():
        for source in json.loads(pathlib.Path("cells.json").read_text()):
            InteractiveShell.instance().run_cell(source).raise_error()
    for path in json.loads(pathlib.Path("modules.json").read_text()):
        name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        module = importlib.import_module(name)
        assert pathlib.Path(module.__file__) == folder / path, module.__file__
    from neoai_utils.errors import NeoaiError
    from neoai_utils.workspace import open_workspace
    assert not {"diffusers", "transformers"} & sys.modules.keys(), "open_workspace makes them quiet, so it comes first"
    try:
        open_workspace(task)
        print(task, "found files where there are none")
    except NeoaiError as error:
        print(task, str(error).replace("\\n", " "))
    for name in [name for name in sys.modules if name.partition(".")[0] == "neoai_utils"]:
        del sys.modules[name]
    sys.path.remove(str(folder))
"""


def test_unpacked_modules_import_and_say_when_files_are_missing(tmp_path: Path, hide_library: str) -> None:
    for task in TASKS:
        (tmp_path / task).mkdir()
        sources = [
            c.source
            for c in library(bundle.bundle(task))
            if c.cell_type == "code" and "installing.provide" not in c.source
        ]
        (tmp_path / task / "cells.json").write_text(json.dumps(sources))
        (tmp_path / task / "modules.json").write_text(json.dumps(bundle.collect(task).modules))
    (tmp_path / "home").mkdir()
    folders = {"NEOAI_CACHE": str(tmp_path / "cache"), "KAGGLE_INPUT": str(tmp_path / "input"),
               "IPYTHONDIR": str(tmp_path / "home")}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-c", hide_library + UNPACK, json.dumps(TASKS), str(tmp_path)],
        cwd=tmp_path / "home", env=os.environ | folders, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line.split()[0] for line in said] == TASKS
    assert all(re.search("[Aa]dd the competition", line) for line in said), said
    for task in TASKS:
        for path in bundle.collect(task).files:
            assert (tmp_path / task / path).read_bytes() == (ROOT / path).read_bytes(), path


@pytest.mark.parametrize("task", TASKS)
def test_the_metadata_are_what_kaggle_takes(task: str) -> None:
    facts, needs = bundle.metadata(task, "someone"), bundle.NEEDS[task]
    assert 5 <= len(facts["title"]) <= 50
    assert facts["id"] == "someone/" + "-".join(re.findall(r"[a-z0-9]+", facts["title"].lower()))
    assert facts["code_file"] == f"{task}.ipynb"
    assert (facts["language"], facts["kernel_type"], facts["is_private"]) == ("python", "notebook", True)
    assert facts["competition_sources"] == [competitions.find(task).slug]
    assert (facts.get("machine_shape") == "NvidiaTeslaT4") is facts["enable_gpu"] is needs.gpu
    assert facts["enable_internet"] is bool(needs.online or bundle.collect(task).packages)


@pytest.mark.parametrize("task", TASKS)
def test_internet_and_gpu_are_asked_for_where_they_are_used(task: str) -> None:
    modules = [path for path in bundle.collect(task).modules if path != "neoai_utils/runtime.py"]
    story = nbformat.read(headless.find_notebook(task), as_version=4).cells
    code = "\n".join([*((ROOT / path).read_text() for path in modules), *(c.source for c in story)])
    if not bundle.NEEDS[task].online:
        assert not re.search(r"\.from_pretrained\(|\bfetch\(|pretrained=True", code)
    if bundle.NEEDS[task].gpu:
        assert re.search(r"\bpick_device\(|\bAccelerator\(", code)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_imported_is_in_the_image_or_installed(task: str) -> None:
    there = {row["package"] for row in IMAGES if row["kaggle"]} | {"neoai-utils"} | BROUGHT
    code = [(ROOT / path).read_text() for path in bundle.collect(task).modules]
    nodes = [node for text in code for node in ast.walk(ast.parse(text))]
    tops = {a.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for a in node.names}
    tops |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    for top in tops - sys.stdlib_module_names - bundle.ABSENT.keys():
        assert PYTHON_NAMES.get(top, top).replace("_", "-") in there, top


@pytest.mark.parametrize(
    ("task", "parameters", "needed", "spare"),
    [
        (3, {}, {"sae_lens"}, set()),
        (6, {"judge": "given"}, set(), {"open_clip"}),
        (6, {"judge": "open_clip:ViT-B-16/openai"}, set(), {"open_clip"}),
        (6, {"judge": ""}, set(), set()),
        (6, {"judge": "openai/clip-vit-base-patch16"}, set(), set()),
        (7, {"backbone": ""}, set(), set()),
        (7, {"backbone": "/kaggle/input/clip"}, set(), set()),
        (7, {"backbone": "open_clip:ViT-B-16/openai"}, {"open_clip"}, set()),
    ],
)
def test_packages_are_asked_for_where_they_are_needed(monkeypatch, task, parameters, needed, spare) -> None:
    asked = []
    monkeypatch.setattr(installing, "provide", lambda *wanted: asked.extend(wanted))
    source = library(bundle.bundle(task))[-1].source
    exec(source, dict(parameters))
    assert [set(wanted) for wanted in asked] == [needed, spare]
    lines = {r.name: str(r) for r in requirements()}
    for text in [text for wanted in asked for text in wanted.values()]:
        assert lines[Requirement(text).name] == text


def test_a_notebook_for_which_everything_is_there_has_no_such_cell() -> None:
    for task in (1, 2, 4, 5, 8):
        assert not any("installing.provide" in cell.source for cell in library(bundle.bundle(task)))


def test_a_cell_of_written_bytes_shows_nothing(small: Path) -> None:
    source = next(c.source for c in library(bundle.bundle(5)) if "b85decode" in c.source)
    assert source.endswith(";")


def test_what_to_attach_is_told(small: Path, monkeypatch, capsys) -> None:
    put(small, "import neoai_utils")
    (small / "notebooks/task5.ipynb").rename(small / "notebooks/task3.ipynb")
    told = library(bundle.bundle(3))[0].source
    assert "google/gemma-2" in told
    assert run(monkeypatch, "bundle", "3") == 0
    assert "attach the model google/gemma-2 (framework Transformers" in capsys.readouterr().out


def test_metadata_are_needed_for_every_task() -> None:
    assert bundle.NEEDS.keys() == competitions.COMPETITIONS.keys()


def requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(text) for line in lines if (text := line.partition("#")[0].strip())]


@pytest.mark.parametrize("image", ["colab", "kaggle", "may"])
def test_the_ranges_admit_what_the_hosts_have(image: str) -> None:
    """The table holds what each image has: a version, * for one that is not on record, nothing for absent.

    Colab's are those of 2026-08-19 and, where that record is silent, of June 2026 (googlecolab/backend-info,
    pip-freeze.gpu.txt). Kaggle builds on Colab's image of May 2026, for which June's list stands, and adds packages of
    its own (Kaggle/docker-python, kaggle_requirements.txt), of which nbconvert's pin, onnx and papermill are on record.
    The column "may" holds what Colab's lists of 8 and 21 May 2026 have older, and nothing for the rest: Kaggle's base
    is dated 14 May, so its image may be either. Packages that none of ours asks for stand in the table because they
    change how ours behave, such as torchao, or because `.ci/hosted` must have them.
    """
    versions = {row["package"]: row[image] for row in IMAGES}
    wanted = {requirement.name.replace("_", "-"): requirement for requirement in requirements()}
    assert wanted.keys() <= versions.keys()
    known = {name: version for name in wanted if (version := versions[name]) not in ("", "*")}
    assert known
    for name, version in known.items():
        assert wanted[name].specifier.contains(version), f"{name} {version}"


def test_what_is_installed_has_the_ranges_of_the_requirements() -> None:
    lines = {r.name: str(r) for r in requirements()}
    there = {row["package"] for row in IMAGES if row["kaggle"]}
    for text in bundle.ABSENT.values():
        name = Requirement(text).name
        assert lines[name] == text
        assert name.replace("_", "-") not in there


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["neoai", *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return stopped.value.code or 0


def test_the_command_writes_the_same_files_again(small: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    assert run(monkeypatch, "bundle", "--all") == 0
    said = capsys.readouterr().out
    assert "kaggle kernels push -p dist/kaggle/task5" in said
    assert "--user NAME" in said
    folder = small / "dist/kaggle/task5"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first.keys() == {"task5.ipynb", "kernel-metadata.json"}
    assert run(monkeypatch, "bundle", "5", "--user", "me") == 0
    assert (folder / "task5.ipynb").read_bytes() == first["task5.ipynb"]
    assert json.loads((folder / "kernel-metadata.json").read_text())["id"] == "me/neoai-5-broken-bert"
    assert {path.name for path in folder.iterdir()} == first.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name tasks"),
        (["5", "--all"], "name tasks"),
        (["5", "task55"], "did you mean task5"),
        (["5", "7"], "task7.ipynb does not exist"),
    ],
)
def test_the_command_tells_what_is_wrong(small: Path, monkeypatch, capsys, words, message) -> None:
    assert run(monkeypatch, "bundle", *words) == 1
    assert message in capsys.readouterr().err
    assert not (small / "dist").exists()
