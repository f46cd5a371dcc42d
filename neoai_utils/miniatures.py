"""The cache of miniatures: each is built once per recipe, verified on each use, and rebuilt if it is damaged."""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from neoai_utils import storage
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, ParameterError
from neoai_utils.task_modules import miniature_of

__all__ = ["build_miniature", "miniature_folder"]


def miniature_folder(task: str, seed: int = 0, **constants: Any) -> Path:
    """Return a miniature's folder in the cache; its name contains a hash of all constants of the recipe.

    Args:
        task: "task1" … "task8".
        seed: seed of the miniature.
        constants: of the task's `Recipe`, where they differ from its defaults.

    Raises:
        ParameterError: the seed is negative, which NumPy's generators refuse, or the recipe has no such constant.
    """
    text = json.dumps(asdict(_recipe(task, seed, constants)), sort_keys=True)
    return storage.cache_dir() / "miniatures" / f"{task}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def build_miniature(task: str, seed: int = 0, **constants: Any) -> Path:
    """Return the verified folder of a miniature (`data/`, `answers/`); build it if it is missing or damaged.

    An intact miniature is used without a lock and without writing, so a read-only cache is sufficient. If several
    processes ask at once, one builds and the others wait.

    Args:
        task: "task1" … "task8".
        seed: seed of the miniature.
        constants: of the task's `Recipe`, where they differ from its defaults.

    Raises:
        ParameterError: the seed is negative, or the recipe has no such constant.
        NeoaiError: the cache folder is not writable, or its disk is full.
    """
    folder = miniature_folder(task, seed, **constants)
    if _problem(folder) is not None:
        with storage.alone(folder.with_suffix(".lock")):
            problem = _problem(folder)
            if problem is not None:
                _clear(folder, problem)
                _build(task, _recipe(task, seed, constants), folder)
    return folder


def _recipe(task: str, seed: int, constants: Mapping[str, Any]) -> Any:
    if seed < 0:
        raise ParameterError(f"the miniature's seed must be 0 or more, got {seed}.")
    recipe = miniature_of(COMPETITIONS[task]).Recipe
    unknown = sorted(constants.keys() - inspect.signature(recipe).parameters.keys())
    if unknown:
        raise ParameterError(f"the miniature of {task} has no {', '.join(unknown)} to set.")
    return recipe(seed=seed, **constants)


def _problem(folder: Path) -> str | None:
    """Return what is wrong with a cached miniature: None if it is intact, "" if it does not exist."""
    if not folder.exists():
        return ""
    try:
        storage.verify_manifest(folder)
    except (DataError, OSError) as error:
        return str(error)
    return None


def _clear(folder: Path, problem: str) -> None:
    """Remove a damaged miniature and the rest of builds that were killed; the lock must be held."""
    if problem:
        print(f"The cached miniature is damaged and is built again ({problem}).")
    for stale in (folder, *folder.parent.glob(f".{folder.name}.*.part")):
        if stale.is_dir():
            shutil.rmtree(stale)
        else:
            stale.unlink(missing_ok=True)


def _build(task: str, recipe: Any, folder: Path) -> None:
    with storage.atomic_folder(folder) as temporary:
        data, answers = temporary / "data", temporary / "answers"
        data.mkdir()
        answers.mkdir()
        facts = miniature_of(COMPETITIONS[task]).build(recipe, data, answers)
        (answers / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        storage.write_manifest(temporary)
