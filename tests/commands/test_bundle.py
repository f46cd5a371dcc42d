"""Uploads: the right modules, byte for byte, in a notebook that needs no library, and metadata that Kaggle takes."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from neoai_utils import installing
from neoai_utils.commands import bundle, notebooks
from neoai_utils.commands import run as runs
from neoai_utils.commands.imports import collect
from neoai_utils.competitions import ABSENT, COMPETITIONS
from neoai_utils.errors import DataError, NeoaiError
from tests.commands.small import command, put

ROOT = Path(__file__).resolve().parents[2]
TASKS = notebooks.available()
IMAGES = list(csv.DictReader((ROOT / "tests/hosted_images.csv").open(encoding="utf-8")))


def library(content: bytes) -> list:
    book = nbformat.reads(content.decode(), as_version=4)
    nbformat.validate(book)
    return [cell for cell in book.cells if bundle.TAG in cell.metadata.get("tags", [])]


def test_long_text_is_packed_and_comes_out_as_it_was(small: Path) -> None:
    credits = small / "neoai_utils/embeddings/data/credits.md"
    credits.write_text("thanks to a person with a long name – äöü\n" * 5000, encoding="utf-8")
    content = credits.read_bytes()
    cell = next(
        cell.source
        for cell in library(bundle.bundle("task5"))
        if cell.source.startswith("# neoai_utils/embeddings/data/cr")
    )
    assert len(cell) < len(content) / 10
    credits.unlink()
    exec(cell, {"Path": Path})
    assert credits.read_bytes() == content


def test_the_order_of_cells(small: Path) -> None:
    cells = nbformat.reads(bundle.bundle("task5").decode(), as_version=4).cells
    assert cells[1].metadata.tags == ["parameters"]
    assert cells[2].source.startswith("## The library")
    installs = 'required, optional = {"seqeval": "seqeval>=1.2.2"}, {}\ninstalling.provide(required, optional)'
    assert cells[-2].source.endswith(installs)
    assert cells[-1].source.startswith("from neoai_utils import a")
    assert len(cells) == 4 + 2 + 10 + 2


def test_code_that_is_no_python_is_an_error(small: Path) -> None:
    put(small, "import neoai_utils", "%pip install x")
    with pytest.raises(DataError, match="cell 3 is no plain Python"):
        bundle.bundle("task5")


def test_a_notebook_that_grew_too_large_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LIMIT", 2000)
    with pytest.raises(NeoaiError, match=r"task5.ipynb would have [\d,]+ bytes, and Kaggle takes 2,000"):
        bundle.write("task5", small / "dist")
    assert not (small / "dist").exists()


def test_a_missing_notebook_is_named(small: Path) -> None:
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
    assert runs.execute(made, tmp_path / "done.ipynb", {}) is None
    outputs = nbformat.read(tmp_path / "done.ipynb", as_version=4).cells[-1].outputs
    printed = "".join(output.text for output in outputs)  # a busy machine cuts one print into several
    assert "did you mean out_dir" in runs.execute(made, tmp_path / "wrong.ipynb", {"out_dri": "x"})
    assert printed.split() == ["neoai-2025-cuties-segmentation", str(tmp_path / "empty/neoai_utils/competitions.py")]
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["neoai_utils"]


@pytest.mark.parametrize("task", TASKS)
def test_modules_stand_in_the_notebook_as_they_are(task: str) -> None:
    content, taken = bundle.bundle(task), collect(task)
    assert len(content) <= bundle.LIMIT
    assert content == bundle.bundle(task)
    assert all(isinstance(cell["source"], str) for cell in json.loads(content)["cells"])
    cells = [cell for cell in library(content) if cell.cell_type == "code" and "installing.provide" not in cell.source]
    assert all(cell.metadata["_kg_hide-input"] and cell.metadata["jupyter"]["source_hidden"] for cell in cells)
    inlined = dict(re.findall(r"\A%%writefile (\S+)\n(.*)\Z", cell.source, re.DOTALL)[0] for cell in cells
                   if cell.source.startswith("%%writefile"))  # fmt: skip
    assert set(taken.modules) <= set(inlined) <= set(taken.files)
    for path, text in inlined.items():
        assert text.encode() == (ROOT / path).read_bytes(), path


@pytest.mark.parametrize("task", TASKS)
def test_the_story_is_unchanged(task: str) -> None:
    stored = nbformat.read(notebooks.find_notebook(task), as_version=4).cells
    carried = nbformat.reads(bundle.bundle(task).decode(), as_version=4).cells
    kept = [cell for cell in carried if bundle.TAG not in cell.metadata.get("tags", [])]
    assert [(cell.cell_type, cell.source) for cell in kept] == [(cell.cell_type, cell.source) for cell in stored]
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
        (tmp_path / task / "modules.json").write_text(json.dumps(collect(task).modules))
    (tmp_path / "home").mkdir()
    folders = {"NEOAI_CACHE": str(tmp_path / "cache"), "KAGGLE_INPUT": str(tmp_path / "input"),
               "IPYTHONDIR": str(tmp_path / "home")}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-I", "-c", hide_library + UNPACK, json.dumps(TASKS), str(tmp_path)],
        cwd=tmp_path / "home", env=os.environ | folders, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = done.stdout.splitlines()
    assert [line.split()[0] for line in printed] == TASKS
    assert [line for line in printed if not re.search("[Aa]dd the competition", line)] == []
    for task in TASKS:
        for path in collect(task).files:
            assert (tmp_path / task / path).read_bytes() == (ROOT / path).read_bytes(), path


@pytest.mark.parametrize("task", TASKS)
def test_the_metadata_are_what_kaggle_takes(task: str) -> None:
    facts, needs = bundle.metadata(task, "someone"), COMPETITIONS[task].needs
    assert 5 <= len(facts["title"]) <= 50
    assert facts["id"] == "someone/" + "-".join(re.findall(r"[a-z0-9]+", facts["title"].lower()))
    assert facts["code_file"] == f"{task}.ipynb"
    assert (facts["language"], facts["kernel_type"], facts["is_private"]) == ("python", "notebook", True)
    assert facts["competition_sources"] == [COMPETITIONS[task].slug]
    assert (facts.get("machine_shape") == "NvidiaTeslaT4") is facts["enable_gpu"] is needs.gpu
    assert facts["enable_internet"] is bool(needs.online or collect(task).packages)


@pytest.mark.parametrize("task", TASKS)
def test_internet_and_gpu_are_asked_for_where_they_are_used(task: str) -> None:
    modules = [path for path in collect(task).modules if path != "neoai_utils/runtime.py"]
    story = nbformat.read(notebooks.find_notebook(task), as_version=4).cells
    code = "\n".join([*((ROOT / path).read_text() for path in modules), *(c.source for c in story)])
    if not COMPETITIONS[task].needs.online:
        assert not re.search(r"\.from_pretrained\(|\bfetch\(|pretrained=True", code)
    if COMPETITIONS[task].needs.gpu:
        assert re.search(r"\bpick_device\(|\bAccelerator\(", code)


@pytest.mark.parametrize(
    ("task", "parameters", "required", "optional"),
    [
        ("task3", {"ladder": True}, {"sae_lens"}, set()),
        ("task3", {"ladder": None}, set(), set()),
        ("task6", {"judge": "given"}, set(), {"open_clip"}),
        ("task6", {"judge": "open_clip:ViT-B-16/openai"}, set(), {"open_clip"}),
        ("task6", {"judge": ""}, set(), set()),
        ("task6", {"judge": "openai/clip-vit-base-patch16"}, set(), set()),
        ("task7", {"backbone": ""}, set(), set()),
        ("task7", {"backbone": "/kaggle/input/clip"}, set(), set()),
        ("task7", {"backbone": "open_clip:ViT-B-16/openai"}, {"open_clip"}, set()),
    ],
)
def test_packages_are_asked_for_where_they_are_needed(monkeypatch, task, parameters, required, optional) -> None:
    given = []
    monkeypatch.setattr(installing, "provide", lambda *names: given.extend(names))
    source = library(bundle.bundle(task))[-1].source
    exec(source, dict(parameters))
    assert [set(names) for names in given] == [required, optional]
    lines = {r.name: str(r) for r in requirements()}
    for text in [text for names in given for text in names.values()]:
        assert lines[Requirement(text).name] == text


def test_a_notebook_for_which_everything_is_there_has_no_such_cell() -> None:
    for task in ("task1", "task2", "task4", "task5", "task8"):
        assert not any("installing.provide" in cell.source for cell in library(bundle.bundle(task)))


def test_a_cell_of_written_bytes_shows_nothing(small: Path) -> None:
    source = next(c.source for c in library(bundle.bundle("task5")) if "b85decode" in c.source)
    assert source.endswith(";")


def test_the_introduction_and_the_command_say_what_to_attach(small: Path, monkeypatch, capsys) -> None:
    put(small, "import neoai_utils")
    (small / "notebooks/task5.ipynb").rename(small / "notebooks/task3.ipynb")
    introduction = library(bundle.bundle("task3"))[0].source
    assert "google/gemma-2" in introduction
    assert command(monkeypatch, "bundle", "3") == 0
    assert "attach the model google/gemma-2 (framework Transformers" in capsys.readouterr().out


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


def test_kaggle_lacks_what_we_say_it_lacks() -> None:
    there = {row["package"] for row in IMAGES if row["kaggle"]}
    lines = {r.name: str(r) for r in requirements()}
    for name in ABSENT:
        text = installing.requirement(name)
        assert lines[Requirement(text).name] == text
        assert Requirement(text).name.replace("_", "-") not in there


@pytest.mark.parametrize("task", TASKS)
def test_an_upload_carries_no_miniature(task: str) -> None:
    """Neither its code nor its data: an upload plays the competition's own files."""
    assert [path for path in collect(task).files if "miniature" in Path(path).parts] == []


def test_the_command_writes_the_same_files_again(small: Path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME", raising=False)
    assert command(monkeypatch, "bundle", "--all") == 0
    printed = capsys.readouterr().out
    assert "kaggle kernels push -p dist/kaggle/task5" in printed
    assert "--user NAME" in printed
    folder = small / "dist/kaggle/task5"
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert first.keys() == {"task5.ipynb", "kernel-metadata.json"}
    assert command(monkeypatch, "bundle", "5", "--user", "me") == 0
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
def test_the_command_says_what_is_wrong(small: Path, monkeypatch, capsys, words, message) -> None:
    assert command(monkeypatch, "bundle", *words) == 1
    assert message in capsys.readouterr().err
    assert not (small / "dist").exists()
