"""A task's modules are imported by the task's name; what is missing is named."""

import importlib.util

import pytest

from neoai_utils import task_modules
from neoai_utils.competitions import COMPETITIONS, find
from neoai_utils.errors import NeoaiError

HERE = importlib.util.find_spec


@pytest.mark.parametrize("task", COMPETITIONS)
def test_every_task_has_both_modules(task: str) -> None:
    files, miniature = task_modules.files_of(find(task)), task_modules.miniature_of(find(task))
    assert files.REQUIRED
    assert all(callable(getattr(files, name)) for name in ("check_submission", "parse_submission", "grade"))
    assert miniature.Recipe(seed=3).seed == 3
    assert callable(miniature.build)


def test_an_upload_without_the_miniature_says_where_files_were_looked_for(cache, monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.endswith(".miniature") else HERE(name))
    with pytest.raises(NeoaiError) as caught:
        task_modules.miniature_of(find("task4"))
    for part in ("no neoai_utils.clustering.miniature", "An upload builds no miniature", "data_1.npz", "data_dir"):
        assert part in str(caught.value)


@pytest.mark.parametrize("module", ["files", "miniature"])
def test_a_task_without_code_is_named(monkeypatch, module: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NeoaiError, match="^task4 .* is not part of this version of neoai"):
        task_modules.load(find("task4"), module)
