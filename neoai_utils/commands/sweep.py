"""A grid of papermill runs through joblib: one notebook played at every combination of parameter values.

`plan` checks everything before anything runs, `run` plays the points that are not finished yet, `write` puts what is
known into `sweep.csv` and `sweep.png`. Each point has a folder of its own, named for a hash of its parameters and of
the notebook's code, so that the same sweep after a crash, or a larger one, takes up what is there. The code of the
library is known by its version alone: after changing it, remove the sweep's folder.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils import __version__, competitions, runtime, storage
from neoai_utils.commands import headless
from neoai_utils.commands.headless import Play
from neoai_utils.errors import DataError, NeoaiError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Plan", "Point", "finished", "plan", "run", "table", "write"]

_ROLES = ("baseline", "published", "ours", "ceiling", "recovered")
_RESULTS = "results.json"
_RECORD = "point.json"  # written last: a point that has it is finished
_BEGINNINGS = 3  # times that a point may lose its worker; Dask's own limit is higher, and joblib would wait for ever
_PATIENCE = 30  # seconds to wait for a cluster to answer


@dataclass(frozen=True)
class Point:
    """One combination of parameter values.

    Attributes:
        task: "task1" … "task8".
        notebook: the notebook as it was when the sweep was planned.
        folder: where its outputs lie.
        parameters: name -> value.
    """

    task: str
    notebook: Path
    folder: Path
    parameters: Mapping[str, object]


@dataclass(frozen=True)
class Plan:
    """A checked sweep; see `plan`.

    Attributes:
        task: "task1" … "task8".
        source: the notebook.
        folder: gets `sweep.csv`, `sweep.png`, a copy of the notebook and `points/`.
        names: the parameters of the grid, in the order given.
        points: every combination, the last parameter changing fastest.
    """

    task: str
    source: Path
    folder: Path
    names: tuple[str, ...]
    points: tuple[Point, ...]


def plan(task: str | int, grid: Mapping[str, Sequence[str]], outputs: Path = Path("outputs")) -> Plan:
    """Check a sweep and lay out its points; runs and writes nothing.

    Args:
        task: the task or its number.
        grid: parameter -> its values as typed; they are read as the type that the notebook declares.
        outputs: the sweep's folder is `<outputs>/sweeps/<task>`.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here, or is none.
        ParameterError: no parameter is given, the notebook declares none of that name (the closest is suggested),
            or a value is not of the declared type.
    """
    source = headless.find_notebook(task).resolve()
    name = source.stem
    cells = headless.code_of(source)
    values = {key: _values(key, texts, source) for key, texts in grid.items()}
    if not values:
        raise ParameterError("a sweep needs a parameter and its values, such as -p seed 1 2 3")
    content = hashlib.sha256(json.dumps([name, __version__, cells]).encode()).hexdigest()
    folder = outputs.expanduser().resolve() / "sweeps" / name
    copy = folder / f"{name}-{content[:12]}.ipynb"
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())]
    points = [Point(name, copy, folder / "points" / _key(content, chosen), chosen) for chosen in combinations]
    return Plan(name, source, folder, tuple(values), tuple(points))


def _values(name: str, texts: Sequence[str], notebook: Path) -> list[object]:
    """Read the values of a parameter, each once."""
    if name == "out_dir":
        raise ParameterError("out_dir cannot be swept: every point gets a folder of its own; choose --outputs.")
    return list(dict.fromkeys(headless.typed(notebook, {name: text})[name] for text in texts))


def _key(content: str, chosen: Mapping[str, object]) -> str:
    text = json.dumps([content, chosen], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(point: Point) -> Play | None:
    """Return what came of a point in this or an earlier sweep; None if it must be run (again)."""
    try:
        record = json.loads((point.folder / _RECORD).read_text(encoding="utf-8"))
        results = json.loads((point.folder / _RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Play(point.task, point.folder, record["seconds"], results)


def finished(plan: Plan) -> list[Play]:
    """Return the plays of the points that an earlier sweep finished, in the plan's order."""
    return [play for play in map(_read, plan.points) if play]


def run(
    plan: Plan, known: Iterable[Play] = (), jobs: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Point, Play]]:
    """Play the points that are not known yet and give each as it ends; a failed one does not stop the rest.

    Args:
        plan: what `plan` returned.
        known: what `finished` returned.
        jobs: points at a time; None: one here, all that its worker threads can take on a cluster.
        scheduler: address of a Dask scheduler; None: run here. The workers need the same packages and must see the
            sweep's folder under the same path; a relative path among the parameters starts from their own folder. A
            point whose worker is lost is begun again on another.

    Raises:
        NeoaiError: the folder is not writable, Dask is not installed, no cluster answers, or its scheduler was lost.
    """
    from joblib import Parallel, delayed

    folders = {play.folder for play in known}
    waiting = [point for point in plan.points if point.folder not in folders]
    if not waiting:
        return
    storage.make_folder(plan.folder / "points")
    with storage.atomic_path(plan.points[0].notebook) as temporary:
        temporary.write_bytes(plan.source.read_bytes())
    with _backend(jobs, scheduler):
        ticket = uuid.uuid4().hex
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=jobs or "all")
        yield from parallel(delayed(_play)(point, ticket) for point in waiting)


@contextmanager
def _backend(jobs: int | None, scheduler: str | None) -> Iterator[None]:
    """Let joblib run on threads here, else on a Dask cluster.

    Threads, because each notebook has a process of its own, the kernel, and a thread only waits for it. Worker
    processes between the two would outlive a killed sweep, and keep its kernels alive.
    """
    from joblib import parallel_config

    if scheduler is None:
        jobs = jobs or 1
        with headless.shared_cores(jobs), parallel_config("threading", n_jobs=jobs):
            yield
    else:
        try:
            with _connect(scheduler) as client, parallel_config(_cluster(client)):
                yield
        except CancelledError as error:
            raise NeoaiError(
                f"the Dask scheduler at {scheduler} was lost. What had finished is kept: start the cluster again, "
                "then give the same command."
            ) from error


def _cluster(client: Any) -> Any:
    """Return joblib's Dask backend, which would run everything here if the cluster has a single thread."""
    from joblib._dask import DaskDistributedBackend

    class Cluster(DaskDistributedBackend):  # type: ignore[misc]
        def effective_n_jobs(self, n_jobs: int) -> int:
            return max(2, int(super().effective_n_jobs(n_jobs)))

    return Cluster(client=client)


def _connect(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise NeoaiError('a sweep on a cluster needs Dask: pip install "neoai[cluster]"') from error
    try:
        client = Client(scheduler, timeout=_PATIENCE, set_as_default=False)
        client.wait_for_workers(1, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise NeoaiError(
            f"no Dask cluster with a worker answers at {scheduler!r} ({error}). Start `dask scheduler` and "
            "`dask worker ADDRESS`, and give the address that the scheduler prints."
        ) from error
    return client


def _play(point: Point, ticket: str) -> tuple[Point, Play]:
    """Play a point where joblib puts it; whatever goes wrong becomes the point's error."""
    try:
        return point, _play_once(point, ticket)
    except Exception as problem:  # a full disk, a kernel that does not start: the other points go on
        return point, Play(point.task, point.folder, 0.0, None, _one_line(f"{type(problem).__name__}: {problem}"))


def _play_once(point: Point, ticket: str) -> Play:
    """Play a point unless another sweep, or a worker that was thought lost, finishes it first."""
    if not point.notebook.is_file():
        raise DataError(
            f"{socket.gethostname()} does not see {point.notebook}; choose --outputs on a disk that all workers share."
        )
    with storage.alone(point.folder / ".lock"):
        return _read(point) or _play_now(point, ticket)


def _play_now(point: Point, ticket: str) -> Play:
    """Run the notebook, then record that the point is finished."""
    for stale in (_RECORD, _RESULTS, "submission.csv", f"{point.task}.ipynb"):
        (point.folder / stale).unlink(missing_ok=True)
    if _beginnings(point, ticket) > _BEGINNINGS:
        return Play(point.task, point.folder, 0.0, None, f"lost its worker {_BEGINNINGS} times, so it was given up")
    target = point.folder / f"{point.task}.ipynb"
    with runtime.stopwatch() as watch:
        error = headless.execute(point.notebook, target, {**point.parameters, "out_dir": str(point.folder)})
    if error is None and not (point.folder / _RESULTS).is_file():
        error = f"the notebook wrote no {_RESULTS}"
    if error is not None:
        return Play(point.task, point.folder, watch.seconds, None, _one_line(error))
    record = {"parameters": point.parameters, "seconds": watch.seconds}
    with storage.atomic_path(point.folder / _RECORD) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return Play(point.task, point.folder, watch.seconds, json.loads((point.folder / _RESULTS).read_text("utf-8")))


def _beginnings(point: Point, ticket: str) -> int:
    """Count how often this sweep has begun this point."""
    diary = point.folder / ".begun"
    begun = diary.read_text(encoding="utf-8").split() if diary.is_file() else []
    begun = [*(word for word in begun if word == ticket), ticket]
    with storage.atomic_path(diary) as temporary:
        temporary.write_text("\n".join(begun), encoding="utf-8")
    return len(begun)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def table(plan: Plan, plays: Iterable[Play]) -> pd.DataFrame:
    """Return one row for each played point, in the plan's order.

    Columns: the parameters (None as text), the scores of each role with `recovered`, `validation` of our final recipe,
    `seconds`, `error` and `notebook` (the executed one, as a path from the sweep's folder). What is unknown is None.
    """
    import pandas as pd

    known = {play.folder: play for play in plays}
    rows = [_row(point, known[point.folder], plan) for point in plan.points if point.folder in known]
    columns = [*plan.names, *_ROLES, "validation", "seconds", "error", "notebook"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _row(point: Point, play: Play, plan: Plan) -> dict[str, object]:
    results = play.results or {}
    ours: Mapping[str, object] = next((row for row in results.get("rows", []) if row["role"] == "ours"), {})
    return {
        **{name: "None" if value is None else value for name, value in point.parameters.items()},
        **{role: results.get(role) for role in _ROLES},
        "validation": ours.get("validation"),
        "seconds": round(play.seconds, 1),
        "error": play.error,
        "notebook": play.notebook.relative_to(plan.folder).as_posix() if play.notebook.is_file() else None,
    }


def write(plan: Plan, plays: Iterable[Play]) -> pd.DataFrame:
    """Write `sweep.csv`, and `sweep.png` where a point has a score; return the table.

    The score is that on the hidden answers, or where these are unknown the validation metric.

    Raises:
        NeoaiError: the folder is not writable; the old files stay as they were.
    """
    from neoai_utils import plotting

    frame = table(plan, plays)
    with storage.atomic_path(plan.folder / "sweep.csv") as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
    facts = competitions.find(plan.task)
    for score, label in (("ours", facts.metric), ("validation", f"{facts.metric}, validation")):
        if frame[score].notna().any():
            plotting.use_style()
            figure = plotting.sweep_chart(frame, plan.names, score, label, facts.higher_is_better)
            with storage.atomic_path(plan.folder / "sweep.png") as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
            break
    return frame
