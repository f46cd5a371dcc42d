"""The cache of miniatures: built once, verified, rebuilt when damaged, also by several processes at once."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from neoai_utils.errors import NeoaiError, ParameterError
from neoai_utils.miniatures import build_miniature, miniature_folder
from neoai_utils.workspace import open_workspace

RIGHT = pd.DataFrame({"id": range(10), "target": [float(i) for i in range(10)]})


def test_each_seed_has_its_own_miniature(fake_task, tmp_path: Path) -> None:
    assert miniature_folder("task5", 0) != miniature_folder("task5", 1)
    assert (
        open_workspace("task5", out_dir=tmp_path, miniature_seed=1)
        .grade(RIGHT.assign(target=RIGHT["target"] * 2))
        .score
        == 1.0
    )


def test_a_changed_recipe_is_another_miniature(fake_task) -> None:
    before = miniature_folder("task5")
    old = fake_task.miniature.Recipe
    fake_task.miniature.Recipe = lambda seed: old(seed=seed, version=2)
    assert miniature_folder("task5") != before


def test_constants_of_the_recipe_are_given_by_name(fake_task, tmp_path: Path) -> None:
    """Another constant is another miniature; one that equals its default is the same."""
    assert miniature_folder("task5", version=1) == miniature_folder("task5")
    folder = build_miniature("task5", version=2)
    assert folder == miniature_folder("task5", version=2) != miniature_folder("task5")
    opened = open_workspace("task5", out_dir=tmp_path, version=2)
    assert (opened.data_dir.parent, fake_task.builds) == (folder, 1)
    with pytest.raises(ParameterError, match="task5 has no difficulty to set"):
        build_miniature("task5", difficulty="kind")


@pytest.mark.parametrize("where", ["data/test.csv", "answers/answers.json"])
def test_a_damaged_miniature_is_built_again(fake_task, tmp_path: Path, capsys, where: str) -> None:
    folder = build_miniature("task5")
    (folder / where).write_text("garbage")
    assert open_workspace("task5", out_dir=tmp_path).grade(RIGHT).score == 1.0
    assert fake_task.builds == 2
    assert "damaged and is built again" in capsys.readouterr().out


def test_a_build_that_fails_leaves_nothing(fake_task) -> None:
    def dies_midway(recipe, data_dir: Path, answers_dir: Path) -> None:
        (data_dir / "test.csv").write_text("id\n1\n")
        raise MemoryError

    good = fake_task.miniature.build
    fake_task.miniature.build = dies_midway
    with pytest.raises(MemoryError):
        build_miniature("task5")
    assert not miniature_folder("task5").exists()
    fake_task.miniature.build = good
    assert build_miniature("task5").is_dir()


def test_a_read_only_cache_names_the_remedy(fake_task, monkeypatch, tmp_path: Path, read_only_folder: Path) -> None:
    monkeypatch.setenv("NEOAI_CACHE", str(read_only_folder))
    with pytest.raises(NeoaiError, match="NEOAI_CACHE"):
        build_miniature("task5")


SLOW_BUILDER = """
import sys, time
sys.path.insert(0, {tests!r})
from conftest import FakeTask
from neoai_utils import miniatures, task_modules
task = FakeTask()
build = task.build
def slow(*args):
    time.sleep(0.5)
    print("built")
    return build(*args)
task.miniature.build = slow
task_modules.load = task.load
print(miniatures.build_miniature("task5"))
"""


def test_of_three_processes_one_builds(cache: Path) -> None:
    code = SLOW_BUILDER.format(tests=str(Path(__file__).parent))
    started = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate()[0].split() for process in started]
    assert sum("built" in words for words in said) == 1
    assert len({words[-1] for words in said}) == 1


def test_a_builder_killed_midway_leaves_no_half_miniature(fake_task, cache: Path) -> None:
    code = SLOW_BUILDER.format(tests=str(Path(__file__).parent)).replace(
        "return build(*args)", "build(*args); import os; os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == -9
    assert not miniature_folder("task5").exists()
    assert build_miniature("task5") == miniature_folder("task5")


@pytest.mark.parametrize("function", [miniature_folder, build_miniature])
def test_a_negative_seed_is_refused(fake_task, function) -> None:
    with pytest.raises(ParameterError, match="the miniature's seed must be 0 or more, got -1"):
        function("task5", -1)
    assert fake_task.builds == 0
