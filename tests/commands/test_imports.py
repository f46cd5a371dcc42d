"""What a notebook's imports reach: modules, data files and packages."""

from __future__ import annotations

import ast
import csv
import re
import sys
from pathlib import Path

import pytest

from neoai_utils.commands.imports import collect, packages
from neoai_utils.commands.notebooks import available
from neoai_utils.competitions import ABSENT, COMPETITIONS
from tests.commands.small import put

ROOT = Path(__file__).resolve().parents[2]
IMAGES = list(csv.DictReader((ROOT / "tests/hosted_images.csv").open(encoding="utf-8")))
PYTHON_NAMES = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "IPython": "ipython",
    "open_clip": "open-clip-torch",
}
# Of packages that ours bring along: each is required by matplotlib or transformers, or is Kaggle's own.
BROUGHT = {"cycler", "huggingface-hub", "kaggle-secrets", "tokenizers"}


def test_the_contents_of_an_upload(small: Path) -> None:
    """Lazy imports, parents, the task's files and lazy names count; what type checkers see and miniatures do not."""
    contents = collect("task5")
    names = ["__init__", "a", "b", "deep/__init__", "deep/c"]
    names += [f"embeddings/{name}" for name in ("__init__", "files", "pictures")] + ["installing", "parameters"]
    assert contents.modules == tuple(f"neoai_utils/{name}.py" for name in names)
    assert contents.data == tuple(f"neoai_utils/embeddings/data/{name}" for name in ("credits.md", "pictures.bin"))
    assert contents.packages == ("seqeval",)


def test_names_that_a_package_loads_on_first_use_lead_to_their_modules(small: Path) -> None:
    """Whether they are imported or used as attributes; `need` names a package that transformers imports."""
    files = {
        "__init__.py": "HOME = {'fetch': 'packages', 'load_one': 'one', 'load_two': 'two', 'load_three': 'three'}\n",
        "packages.py": "",
        "one.py": "need('gguf', purpose='x')\n",
        "two.py": "",
        "three.py": "",
    }
    (small / "neoai_utils/offline").mkdir()
    for name, text in files.items():
        (small / "neoai_utils/offline" / name).write_text(text)
    code = "from neoai_utils import offline\nfrom neoai_utils.offline import load_one\noffline.fetch('x').parameters"
    put(small, code)
    contents = collect("task5")
    offline = [path for path in contents.modules if "/offline/" in path]
    assert offline == [f"neoai_utils/offline/{name}.py" for name in ("__init__", "one", "packages")]
    assert contents.packages == ("gguf", "seqeval")


@pytest.mark.parametrize("task", available())
def test_what_is_imported_is_in_the_image_or_installed(task: str) -> None:
    there = {row["package"] for row in IMAGES if row["kaggle"]} | {"neoai-utils"} | BROUGHT
    code = [(ROOT / path).read_text() for path in collect(task).modules]
    nodes = [node for text in code for node in ast.walk(ast.parse(text))]
    tops = {a.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for a in node.names}
    tops |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    for top in tops - sys.stdlib_module_names - ABSENT:
        assert PYTHON_NAMES.get(top, top).replace("_", "-") in there, top


def test_the_packages_of_each_notebook() -> None:
    """The expected names come from reading the notebooks: what each needs beyond what all need."""
    every = set.intersection(*(set(packages(task)) for task in COMPETITIONS))
    assert every == {
        "IPython",
        "filelock",
        "matplotlib",
        "numpy",
        "pandas",
        "platformdirs",
        "scipy",
        "sklearn",
        "threadpoolctl",
        "torch",
        "tqdm",
        "transformers",
    }
    assert "lightgbm" in packages("task1")
    assert {"timm", "peft"} <= set(packages("task2"))
    assert {"gguf", "sae_lens", "accelerate"} <= set(packages("task3"))  # gguf: transformers imports it
    assert set(packages("task5")) - every == {
        "peft",
        "safetensors",
    }  # of `offline`, only what reads MiniLM
    assert "onnx" in packages("task7")  # DINOv2, through an attribute of `offline`
    assert {"hassil", "seqeval"} <= set(packages("task8"))  # hassil: the miniature
    assert not any(re.search("[A-Z].*-", name) for task in COMPETITIONS for name in packages(task))
