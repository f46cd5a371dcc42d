"""Run notebooks with papermill: one or all, each into a folder of its own, and read their results.

papermill is used through its API, because its command line offers no way to set the IOPub timeout (nbclient's
default of 4 s fails under load) and rewrites the output notebook after every cell.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils import runtime, storage
from neoai_utils.commands import notebooks
from neoai_utils.errors import DataError
from neoai_utils.workspace import RESULTS, SUBMISSION

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from neoai_utils.commands.board import Board

__all__ = ["Run", "default_jobs", "execute", "run", "run_all", "run_into", "shared_cores"]

IOPUB_TIMEOUT = 300  # seconds to wait for a cell's trailing output on a busy machine
_SECTION = re.compile(r"## \S")


@dataclass(frozen=True)
class Run:
    """One run of a notebook.

    Attributes:
        task: "task1" … "task8".
        folder: the folder of its outputs.
        seconds: wall time of the whole notebook, kernel start included.
        results: content of its `results.json`; None if the run failed.
        error: the failing cell's error in one line; None if the run succeeded.
    """

    task: str
    folder: Path
    seconds: float
    results: Mapping[str, Any] | None = None
    error: str | None = None

    @property
    def notebook(self) -> Path:
        """Return the executed notebook."""
        return self.folder / f"{self.task}.ipynb"


def run(
    task: str,
    outputs: Path = Path("outputs"),
    values: Mapping[str, object] | None = None,
    board: Board | None = None,
) -> Run:
    """Execute a task's notebook into `outputs/<task>/`.

    A failing notebook does not raise; its error is in the result, and the executed notebook shows the cell. If several
    processes run notebooks into one folder, they do so one after the other.

    Args:
        task: "task1" … "task8".
        outputs: the folder of all outputs.
        values: parameter -> value, without `out_dir`.
        board: shows the notebook while it is played.

    Raises:
        DataError: the task's notebook is missing.
        NeoaiError: the output folder cannot be written.
    """
    notebook = notebooks.find_notebook(task)
    folder = storage.make_folder(outputs / task)
    given = dict(values or {})
    if outputs.resolve() != Path("outputs").resolve():  # the notebook's own default is ./outputs/<task>
        given["out_dir"] = str(folder.resolve())
    with storage.alone(folder / ".lock"):
        return run_into(folder, task, notebook, given, board)


def run_into(folder: Path, task: str, notebook: Path, values: Mapping[str, object], board: Board | None = None) -> Run:
    """Execute a notebook into a folder and read its results; the caller holds the folder's lock.

    Args:
        folder: the folder of the outputs; outputs of an earlier run are removed first.
        task: "task1" … "task8"; the executed notebook is `<folder>/<task>.ipynb`.
        notebook: the notebook.
        values: parameter -> value, with `out_dir` if `folder` is not the notebook's default.
        board: shows the notebook while it is played.
    """
    target = folder / f"{task}.ipynb"
    _remove_outputs(folder, target.name)
    with runtime.stopwatch() as watch:
        error = execute(notebook, target, values, board)
    if board is not None:
        board.ended(task)
    results = None if error else _read_results(folder)
    if results is not None and "cells" in results:
        results = _with_sections(results, notebooks.read(target))
        with storage.atomic_path(folder / RESULTS) as temporary:
            temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    if results is None and error is None:
        error = f"the notebook wrote no readable {RESULTS}"
    return Run(task, folder, watch.seconds, results, error)


def _remove_outputs(folder: Path, notebook: str) -> None:
    """Remove the outputs of an earlier run, also the partial ones of a killed run, so that none pass for new."""
    names = (RESULTS, SUBMISSION, notebook)
    partial = [path for name in names for path in folder.glob(f".{name}.*.part")]
    for stale in (*(folder / name for name in names), *partial):
        stale.unlink(missing_ok=True)


def _read_results(folder: Path) -> dict[str, Any] | None:
    try:
        results: dict[str, Any] = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return results


def _with_sections(results: Mapping[str, Any], book: NotebookNode) -> dict[str, Any]:
    """Return the results with `sections` in the place of `cells`: the costs under each numbered heading.

    A section holds its `title`, the `seconds` and `cpu_seconds` of its cells and the peaks of memory by its end.
    """
    costs = {cost["cell"]: cost for cost in results["cells"]}
    sections: dict[str, dict[str, Any]] = {}
    title = ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            title = next((line.removeprefix("## ") for line in cell.source.splitlines() if _SECTION.match(line)), title)
        elif (cost := costs.get(cell.execution_count)) is not None:
            before = sections.get(title, {})
            times = {name: round(before.get(name, 0.0) + cost[name], 2) for name in ("seconds", "cpu_seconds")}
            peaks = {name: cost[name] for name in ("peak_memory_mb", "peak_gpu_mb")}
            sections[title] = {"title": title, **times, **peaks}
    kept = {name: value for name, value in results.items() if name != "cells"}
    return kept | {"sections": list(sections.values())}


def run_all(
    tasks: Sequence[str],
    outputs: Path,
    values: Mapping[str, Mapping[str, object]],
    jobs: int = 1,
    board: Board | None = None,
) -> Iterator[Run]:
    """Run several tasks and yield each as it ends.

    Args:
        tasks: their names.
        outputs: as for `run`.
        values: task -> what `run` takes; a task may be left out.
        jobs: notebooks at a time, which share the cores. Above 1, the notebooks with the longest stored time start
            first, so that no long one is left alone at the end.
        board: shows the notebooks while they are played.
    """
    from joblib import Parallel, delayed

    order = sorted(tasks, key=_stored_minutes, reverse=True) if jobs > 1 else tasks
    with shared_cores(jobs):
        # threads: each notebook has a process of its own, the kernel, and a thread only waits for it
        parallel = Parallel(jobs, prefer="threads", return_as="generator_unordered", batch_size=1, pre_dispatch=jobs)
        yield from parallel(delayed(run)(task, outputs, values.get(task), board) for task in order)


def default_jobs() -> int:
    """Return how many notebooks to run at once: two, if there are cores for them and no GPU that they would share.

    One small network keeps two cores less busy than two notebooks do with a core each.
    """
    from joblib import cpu_count

    alone = cpu_count() < 2 or runtime.pick_device(quiet=True).type != "cpu"
    return 1 if alone else 2


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Give the kernels that start in the block their part of the cores, unless the user has set a number of threads."""
    from joblib import cpu_count

    if jobs == 1 or "OMP_NUM_THREADS" in os.environ:
        yield
        return
    os.environ["OMP_NUM_THREADS"] = str(max(1, cpu_count() // jobs))
    try:
        yield
    finally:
        del os.environ["OMP_NUM_THREADS"]


def _stored_minutes(task: str) -> int:
    """Return the minutes in a notebook's cost line; 0 if it has none."""
    text = notebooks.find_notebook(task).read_text(encoding="utf-8", errors="replace")
    minutes = re.search(r"\*\*Cost:\*\* about (\d+) min", text)
    return int(minutes[1]) if minutes else 0


def execute(notebook: Path, target: Path, values: Mapping[str, object], board: Board | None = None) -> str | None:
    """Run a notebook through papermill and write the executed copy; return its error in one line, if any."""
    import logging

    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")  # else the kernel warns about its debugger
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # else threads spin for long while others want their core
    logging.getLogger("papermill").setLevel(logging.ERROR)
    temporary = target.with_suffix(".running.ipynb")
    error = None
    try:
        book = notebooks.read(notebook)
        # without the tag papermill injects values first, and the notebook overwrites them
        injected = notebooks.parameters_index(book, notebook) if values else None
        shown = {}
        if board is not None:
            expected = 0 if values.keys() - {"out_dir"} else _stored_minutes(target.stem)
            shown["on_cell_start"] = board.follow(target.stem, book, expected, injected)
        papermill.execute_notebook(
            book, temporary, parameters=dict(values), kernel_name="python3", progress_bar=False,
            request_save_on_cell_execute=False, autosave_cell_every=0, iopub_timeout=IOPUB_TIMEOUT,
            raise_on_iopub_timeout=False,
            # critical messages only: a kernel that is done gets an interrupt, and may log that as an error
            extra_arguments=["--log-level=50"], start_timeout=180, **shown,
        )  # fmt: skip
    except PapermillExecutionError as problem:
        error = f"cell {problem.exec_count}: {problem.ename}: {problem.evalue}"
    except DeadKernelError:
        error = "the kernel died, most often because memory ran out"
    except DataError as problem:
        error = str(problem)
    except NoSuchKernel:
        error = "there is no Jupyter kernel python3; pip install ipykernel"
    except OSError as problem:
        error = f"cannot write {target}: {problem.strerror or problem}; free some space or choose another folder"
        temporary.unlink(missing_ok=True)
    if temporary.exists():
        temporary.replace(target)
    return " ".join(error.split()) if error else None
