"""The scores of the notebooks on several miniatures: played and kept by `neoai run --store`, shown in the README."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from neoai_utils import storage
from neoai_utils.commands import sweep as sweeps
from neoai_utils.commands.imports import ROOT
from neoai_utils.commands.run import Run, default_jobs
from neoai_utils.errors import NeoaiError

__all__ = ["ROLES", "keep", "mean_text", "play", "read", "texts"]

ROLES = ("baseline", "published", "ours", "ceiling", "recovered")
"""What is kept of each play."""

_FOLDER = "miniatures"  # below the outputs; a sweep of the user's own lies elsewhere
_RECORD = Path("benchmarks") / "seeds.json"

Record = dict[str, list[float]]
"""Role -> the scores on miniatures 0, 1, …"""


def read(folder: Path = ROOT) -> dict[str, Record]:
    """Return task -> role -> the scores on miniatures 0, 1, …, which the last stored run reached; empty without a file.

    Args:
        folder: the repository.
    """
    path = folder / _RECORD
    if not path.is_file():
        return {}
    found: dict[str, Record] = json.loads(path.read_text(encoding="utf-8"))
    return found


def play(task: str, miniatures: int, outputs: Path) -> list[Run]:
    """Play a notebook on miniatures 1, 2, …; number 0 is the stored run's own.

    Args:
        task: "task1" … "task8".
        miniatures: their number, number 0 included.
        outputs: folder of all outputs; plays of an earlier call are not used again, as the library may have changed.

    Raises:
        NeoaiError: a play failed.
    """
    others = [str(seed) for seed in range(1, miniatures)]
    if not others:
        return []
    planned = sweeps.plan(task, {"miniature_seed": others}, outputs / _FOLDER)
    shutil.rmtree(planned.folder, ignore_errors=True)
    runs = {point.folder: run for point, run in sweeps.run(planned, jobs=default_jobs())}
    failed = [run for run in runs.values() if run.error]
    if failed:
        raise NeoaiError(f"{task} failed on another miniature: {failed[0].error} (see {failed[0].notebook})")
    return [runs[point.folder] for point in planned.points]


def keep(task: str, runs: Sequence[Run], folder: Path = ROOT) -> None:
    """Keep the scores of a task's runs, in the order of their miniatures.

    Args:
        task: "task1" … "task8".
        runs: of miniatures 0, 1, …; all succeeded.
        folder: the repository.
    """
    results = [run.results or {} for run in runs]
    record = {role: [round(float(found[role]), 4) for found in results] for role in ROLES}
    path = folder / _RECORD
    with storage.atomic_path(path) as temporary:
        text = json.dumps(dict(sorted({**read(folder), task: record}.items())), indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")


def mean_text(values: Sequence[float], form: str = ".3f") -> str:
    """Return the mean of some scores and, of several, their standard deviation: "0.804 ± 0.012".

    Args:
        values: the scores; a dash stands for none.
        form: format of a number.
    """
    import numpy as np

    if not values:
        return "–"
    mean = format(float(np.mean(values)), form)
    return mean if len(values) == 1 else f"{mean} ± {format(float(np.std(values, ddof=1)), form)}"


def texts(record: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Return the text of each role of a record."""
    return {role: mean_text(record[role], ".0%" if role == "recovered" else ".3f") for role in ROLES}
