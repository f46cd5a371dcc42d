"""A grid of papermill runs through joblib: one notebook at every combination of parameter values.

`plan` checks everything before anything runs, `run` runs the points that are not finished yet, `write` writes the
results so far into `sweep.csv` and `sweep.png`. Each point has a folder of its own, named for a hash of its parameters
and of the notebook's code, so that the same sweep after a crash, or a larger one, reuses the finished points. The hash
holds the library's version and not its code: after changing the code, remove the sweep's folder.
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

from neoai_utils import __version__, storage
from neoai_utils.commands import notebooks
from neoai_utils.commands.run import Run, run_into, shared_cores
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, NeoaiError, ParameterError
from neoai_utils.workspace import RESULTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Point", "Sweep", "finished", "plan", "run", "table", "write"]

_ROLES = ("baseline", "published", "ours", "ceiling", "recovered")
_RECORD = "point.json"  # written last: a point that has it is finished
_STARTS = 3  # times that a point is started; Dask's own limit is higher, and joblib would wait for ever
_PATIENCE = 30  # seconds to wait for a cluster to answer


@dataclass(frozen=True)
class Point:
    """One combination of parameter values.

    Attributes:
        task: "task1" … "task8".
        notebook: the notebook as it was when the sweep was planned.
        folder: the folder of its outputs.
        parameters: name -> value.
    """

    task: str
    notebook: Path
    folder: Path
    parameters: Mapping[str, object]


@dataclass(frozen=True)
class Sweep:
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


def plan(task: str, grid: Mapping[str, Sequence[str]], outputs: Path = Path("outputs")) -> Sweep:
    """Check a sweep and lay out its points; runs and writes nothing.

    Args:
        task: "task1" … "task8".
        grid: parameter -> its values as typed; they are read as the type that the notebook declares.
        outputs: the sweep's folder is `<outputs>/sweeps/<task>`.

    Raises:
        DataError: the task's notebook is missing or is no notebook.
        ParameterError: no parameter is given, the notebook declares none of that name (the message suggests the closest
            one), or a value is not of the declared type.
    """
    if not grid:
        raise ParameterError("a sweep needs a parameter and its values, such as -p seed 1 2 3")
    source = notebooks.find_notebook(task).resolve()
    values = {name: list(dict.fromkeys(typed)) for name, typed in notebooks.typed(source, grid).items()}
    code = json.dumps([task, __version__, notebooks.code_of(source)])
    checksum = hashlib.sha256(code.encode()).hexdigest()
    folder = outputs.expanduser().resolve() / "sweeps" / task
    copy = folder / f"{task}-{checksum[:12]}.ipynb"
    combinations = [dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())]
    points = [Point(task, copy, folder / "points" / _key(checksum, row), row) for row in combinations]
    return Sweep(task, source, folder, tuple(values), tuple(points))


def _key(checksum: str, parameters: Mapping[str, object]) -> str:
    text = json.dumps([checksum, parameters], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(point: Point) -> Run | None:
    """Return a point's run of this or an earlier sweep; None if the point must be run (again)."""
    try:
        record = json.loads((point.folder / _RECORD).read_text(encoding="utf-8"))
        results = json.loads((point.folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Run(point.task, point.folder, record["seconds"], results)


def finished(sweep: Sweep) -> list[Run]:
    """Return the runs of the points that an earlier sweep finished, in the order of the points."""
    return [run for run in map(_read, sweep.points) if run]


def run(
    sweep: Sweep, done: Iterable[Run] = (), jobs: int | None = None, scheduler: str | None = None
) -> Iterator[tuple[Point, Run]]:
    """Run the points that are not finished and yield each as it ends; a failed one does not stop the rest.

    Args:
        sweep: what `plan` returned.
        done: what `finished` returned.
        jobs: points at a time; None: one on this machine, as many as there are worker threads on a cluster.
        scheduler: address of a Dask scheduler; None: run on this machine. The workers need the same packages and must
            see the sweep's folder under the same path; a relative path among the parameters starts from the point's
            folder. A point whose worker is lost is started again on another.

    Raises:
        NeoaiError: the folder is not writable, Dask is not installed, no cluster answers, or its scheduler was lost.
    """
    from joblib import Parallel, delayed

    folders = {run.folder for run in done}
    waiting = [point for point in sweep.points if point.folder not in folders]
    if not waiting:
        return
    storage.make_folder(sweep.folder / "points")
    with storage.atomic_path(sweep.points[0].notebook) as temporary:
        temporary.write_bytes(sweep.source.read_bytes())
    with _backend(jobs, scheduler):
        ticket = uuid.uuid4().hex
        parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=jobs or "all")
        yield from parallel(delayed(_run_point)(point, ticket) for point in waiting)


@contextmanager
def _backend(jobs: int | None, scheduler: str | None) -> Iterator[None]:
    """Let joblib run on threads of this machine, or on a Dask cluster if there is a scheduler.

    Threads suffice: each notebook has a process of its own, the kernel, and a thread only waits for it. Worker
    processes in between would outlive a killed sweep and keep its kernels alive.
    """
    from joblib import parallel_config

    if scheduler is None:
        jobs = jobs or 1
        with shared_cores(jobs), parallel_config("threading", n_jobs=jobs):
            yield
    else:
        try:
            with _connect(scheduler) as client, parallel_config(_cluster(client)):
                yield
        except CancelledError as error:
            raise NeoaiError(
                f"the Dask scheduler at {scheduler} was lost. Finished points are kept: start the cluster again, then "
                "give the same command."
            ) from error


def _cluster(client: Any) -> Any:
    """Return joblib's Dask backend, changed so that it uses a cluster of a single thread too."""
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


def _run_point(point: Point, ticket: str) -> tuple[Point, Run]:
    """Run a point on the worker that joblib chose; every error becomes the point's error."""
    try:
        return point, _run_once(point, ticket)
    except Exception as error:  # a full disk, a kernel that does not start: the other points are still run
        line = " ".join(f"{type(error).__name__}: {error}".split())
        return point, Run(point.task, point.folder, 0.0, None, line)


def _run_once(point: Point, ticket: str) -> Run:
    """Run a point unless another sweep, or a worker that was thought lost, finishes it first."""
    if not point.notebook.is_file():
        raise DataError(
            f"{socket.gethostname()} does not see {point.notebook}; choose --outputs on a disk that all workers share."
        )
    with storage.alone(point.folder / ".lock"):
        return _read(point) or _run_and_record(point, ticket)


def _run_and_record(point: Point, ticket: str) -> Run:
    """Run the notebook, then record that the point is finished."""
    (point.folder / _RECORD).unlink(missing_ok=True)
    if _count_start(point, ticket) > _STARTS:
        return Run(point.task, point.folder, 0.0, None, f"lost its worker {_STARTS} times, so it was given up")
    run = run_into(point.folder, point.task, point.notebook, {**point.parameters, "out_dir": str(point.folder)})
    if run.error is None:
        record = {"parameters": point.parameters, "seconds": run.seconds}
        with storage.atomic_path(point.folder / _RECORD) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return run


def _count_start(point: Point, ticket: str) -> int:
    """Return how often this sweep has started this point, this start included."""
    log = point.folder / ".starts"
    tickets = log.read_text(encoding="utf-8").split() if log.is_file() else []
    tickets = [*(word for word in tickets if word == ticket), ticket]
    with storage.atomic_path(log) as temporary:
        temporary.write_text("\n".join(tickets), encoding="utf-8")
    return len(tickets)


def table(sweep: Sweep, runs: Iterable[Run]) -> pd.DataFrame:
    """Return one row for each finished or failed point, in the order of the points.

    Columns: the parameters (None as text), the scores of each role with `recovered`, `validation` of our final recipe,
    `seconds`, `error` and `notebook` (the executed one, as a path from the sweep's folder). Missing values are None.
    """
    import pandas as pd

    by_folder = {run.folder: run for run in runs}
    rows = [_row(point, by_folder[point.folder], sweep) for point in sweep.points if point.folder in by_folder]
    columns = [*sweep.names, *_ROLES, "validation", "seconds", "error", "notebook"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _row(point: Point, run: Run, sweep: Sweep) -> dict[str, object]:
    results = run.results or {}
    ours: Mapping[str, object] = next((row for row in results.get("rows", []) if row["role"] == "ours"), {})
    return {
        **{name: "None" if value is None else value for name, value in point.parameters.items()},
        **{role: results.get(role) for role in _ROLES},
        "validation": ours.get("validation"),
        "seconds": round(run.seconds, 1),
        "error": run.error,
        "notebook": run.notebook.relative_to(sweep.folder).as_posix() if run.notebook.is_file() else None,
    }


def write(sweep: Sweep, runs: Iterable[Run]) -> pd.DataFrame:
    """Write `sweep.csv`, and `sweep.png` if a point has a score; return the table.

    The score is that on the hidden answers, or the validation metric where these are unknown.

    Raises:
        NeoaiError: the folder is not writable; the old files are kept.
    """
    from neoai_utils import plotting

    frame = table(sweep, runs)
    with storage.atomic_path(sweep.folder / "sweep.csv") as temporary:
        frame.to_csv(temporary, index=False, lineterminator="\n")
    facts = COMPETITIONS[sweep.task]
    for score, label in (("ours", facts.metric), ("validation", f"{facts.metric}, validation")):
        if frame[score].notna().any():
            plotting.use_style()
            figure = plotting.sweep_chart(frame, sweep.names, score, label, facts.higher_is_better)
            with storage.atomic_path(sweep.folder / "sweep.png") as temporary:
                figure.savefig(temporary, format="png", metadata={"Software": None})
            break
    return frame
