"""papermill over the notebooks: play one or all, collect `results.json`, keep a clean executed copy.

papermill is used through its API, because its command line offers no way to set the IOPub timeout (nbclient's
default of 4 s fails under load) and rewrites the output notebook after every cell.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neoai_utils import competitions, parameters, runtime, storage
from neoai_utils.commands import books
from neoai_utils.errors import DataError, NeoaiError, ParameterError, did_you_mean
from neoai_utils.scores import recovered

if TYPE_CHECKING:
    import nbformat

__all__ = [
    "Play", "available", "code_of", "default_jobs", "draw_overview", "find_notebook", "notebooks_dir", "play",
    "play_all", "read_scores", "scores_markdown", "shared_cores", "store", "typed", "update_scores", "update_section",
]  # fmt: skip

IOPUB_TIMEOUT = 300  # seconds to wait for a cell's trailing output on a busy machine
_RESULTS = "results.json"


@dataclass(frozen=True)
class Play:
    """What came of one notebook.

    Attributes:
        task: "task1" … "task8".
        folder: where its outputs lie.
        seconds: wall time of the whole notebook, kernel start included.
        results: content of its `results.json`; None if it failed.
        error: the failing cell's error in one line; None if all went well.
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


def notebooks_dir() -> Path:
    """Return the notebooks folder below the current folder, else the one beside the library."""
    here = Path("notebooks")
    return here if here.is_dir() else Path(__file__).resolve().parents[2] / "notebooks"


def available() -> list[str]:
    """Return the tasks that have a notebook, in order."""
    return [task for task in competitions.COMPETITIONS if (notebooks_dir() / f"{task}.ipynb").is_file()]


def find_notebook(task: str | int) -> Path:
    """Return the notebook of a task.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here; those that are here are named.
    """
    name = competitions.find(task).task
    path = notebooks_dir() / f"{name}.ipynb"
    if not path.is_file():
        raise DataError(
            f"{path} does not exist; notebooks found: {', '.join(available()) or 'none'}. "
            "Run this in the folder that holds notebooks/."
        )
    return path


def code_of(notebook: Path) -> list[tuple[str, list[str]]]:
    """Return source and tags of each code cell: what a run depends on, unlike prose, stored outputs and times.

    Raises:
        DataError: the file is no notebook.
    """
    cells = books.read(notebook).cells
    return [(cell.source, cell.metadata.get("tags", [])) for cell in cells if cell.cell_type == "code"]


def typed(notebook: Path, texts: Mapping[str, str]) -> dict[str, object]:
    """Read parameters from the command line as the types that a notebook declares.

    Args:
        notebook: the notebook.
        texts: parameter -> its value as typed.

    Raises:
        DataError: the file is no notebook, or none of its cells has the tag `parameters`.
        ParameterError: the notebook declares no parameter of that name (the closest is suggested), or a value is not of
            the declared type.
    """
    if not texts:
        return {}
    _refuse_out_dir(texts)
    book = books.read(notebook)
    declared = parameters.declarations(book.cells[books.parameters_place(book, notebook)].source)
    for name in texts:
        if name not in declared:
            raise ParameterError(f"{notebook.stem}: unknown parameter {name!r}{did_you_mean(name, declared)}")
    return {name: parameters.parse(name, declared[name], text) for name, text in texts.items()}


def _refuse_out_dir(given: Iterable[str]) -> None:
    if "out_dir" in given:
        raise ParameterError("out_dir is chosen by the output folder; give that (--outputs) in place of out_dir.")


def play(task: str | int, outputs: Path = Path("outputs"), values: Mapping[str, object] | None = None) -> Play:
    """Execute a task's notebook into `outputs/<task>/` and return what came of it.

    A failing notebook does not raise; its error is in the result, and the executed notebook shows the cell. Of several
    processes that play into one folder, one plays at a time.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here.
        ParameterError: `out_dir` is among the parameters.
        NeoaiError: the output folder cannot be written.
    """
    notebook = find_notebook(task)
    folder = storage.make_folder(outputs / notebook.stem)
    given = dict(values or {})
    _refuse_out_dir(given)
    if outputs.resolve() != Path("outputs").resolve():  # the notebook's own default is ./outputs/<task>
        given["out_dir"] = str(folder.resolve())
    with storage.alone(folder / ".lock"):
        _sweep(folder, notebook)
        with runtime.stopwatch() as watch:
            error = execute(notebook, folder / notebook.name, given)
        results = None if error else _results(folder)
    if results is None and error is None:
        error = f"the notebook wrote no readable {_RESULTS}"
    return Play(notebook.stem, folder, watch.seconds, results, error)


def _sweep(folder: Path, notebook: Path) -> None:
    """Remove what an earlier run, perhaps a killed one, has left, so that nothing old passes for new."""
    names = (_RESULTS, "submission.csv", notebook.name)
    halves = [half for name in names for half in folder.glob(f".{name}.*.part")]
    for stale in (*(folder / name for name in names), *halves):
        stale.unlink(missing_ok=True)


def _results(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / _RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def play_all(
    tasks: Sequence[str], outputs: Path, values: Mapping[str, Mapping[str, object]], jobs: int = 1
) -> Iterator[Play]:
    """Play several tasks and give each as it ends.

    Args:
        tasks: their names.
        outputs: as for `play`.
        values: task -> what `play` takes; a task may be left out.
        jobs: notebooks at a time, which share the cores. Above 1, those that took longest when they were stored begin,
            so that no long one is left alone at the end.
    """
    from joblib import Parallel, delayed

    order = sorted(tasks, key=_stored_minutes, reverse=True) if jobs > 1 else tasks
    with shared_cores(jobs):
        # threads: each notebook has a process of its own, the kernel, and a thread only waits for it
        parallel = Parallel(jobs, prefer="threads", return_as="generator_unordered", batch_size=1, pre_dispatch=jobs)
        yield from parallel(delayed(play)(task, outputs, values.get(task)) for task in order)


def default_jobs() -> int:
    """Return how many notebooks to play at once: two, if there are cores for them and no GPU that they would share.

    One small network keeps two cores less busy than two notebooks do with a core each.
    """
    from joblib import cpu_count

    alone = cpu_count() < 2 or runtime.pick_device(quiet=True).type != "cpu"
    return 1 if alone else 2


@contextmanager
def shared_cores(jobs: int) -> Iterator[None]:
    """Give the kernels that start meanwhile their part of the cores, unless the user has chosen a number of threads."""
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
    """Return the minutes that a notebook's cost line tells; 0 if it has none."""
    found = re.search(r"⏱ about (\d+) min", find_notebook(task).read_text(encoding="utf-8", errors="replace"))
    return int(found[1]) if found else 0


def execute(notebook: Path, target: Path, values: Mapping[str, object]) -> str | None:
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
        book = books.read(notebook)
        if values:
            books.parameters_place(book, notebook)  # papermill would put them in front, and the notebook overwrite them
        papermill.execute_notebook(
            book, temporary, parameters=dict(values), kernel_name="python3", progress_bar=False,
            request_save_on_cell_execute=False, autosave_cell_every=0, iopub_timeout=IOPUB_TIMEOUT,
            raise_on_iopub_timeout=False,
            # critical messages only: a kernel that is done gets an interrupt, and may log that as an error
            extra_arguments=["--log-level=50"], start_timeout=180,
        )  # fmt: skip
    except PapermillExecutionError as problem:
        error = f"cell {problem.exec_count}: {problem.ename}: {problem.evalue}"
    except DeadKernelError:
        error = "the kernel died, most often for want of memory"
    except DataError as problem:
        error = str(problem)
    except NoSuchKernel:
        error = "there is no Jupyter kernel python3; pip install ipykernel"
    except OSError as problem:
        error = f"cannot write {target}: {problem.strerror or problem}; free some space or choose another folder"
        temporary.unlink(missing_ok=True)
    if temporary.exists():
        temporary.replace(target)
    return error


# what `offline.packages` says on a first run only
_FETCHED = re.compile(r"^fetching \S+ \(\d+ MB, once\)\n", re.MULTILINE)


def store(done: Play) -> Path:
    """Copy an executed notebook back to the notebooks folder, without what differs from run to run.

    Removed are papermill's and Jupyter's times and the notices of downloads; the cost line between the markers
    `<!-- cost -->` is filled with the measured time and memory.

    Raises:
        NeoaiError: the run failed, or parameters were injected (the stored notebook must show the defaults).
    """
    import nbformat

    if done.results is None:
        raise NeoaiError(f"{done.task} failed, so it is not stored: {done.error}")
    book = books.read(done.notebook)
    if any("injected-parameters" in cell.metadata.get("tags", []) for cell in book.cells):
        raise NeoaiError(f"{done.task} ran with other parameters than its defaults, so it is not stored.")
    book.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    cost = _cost(done)
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        tags = [t for t in cell.metadata.get("tags", []) if t in ("parameters", "nbsphinx-thumbnail")]
        cell.metadata = nbformat.NotebookNode({"tags": tags} if tags else {})
        cell.source = update_section(cell.source, "cost", cost)
        if cell.cell_type == "code":
            cell.outputs = list(_without_notices(cell.outputs))
    target = find_notebook(done.task)
    with storage.atomic_path(target) as temporary:
        nbformat.write(book, temporary)
    return target


def _without_notices(outputs: Iterable[nbformat.NotebookNode]) -> Iterator[nbformat.NotebookNode]:
    """Yield a cell's outputs, and none that said nothing but what was fetched."""
    for output in outputs:
        if output.output_type == "stream":
            output.text = _FETCHED.sub("", output.text)
        if output.output_type != "stream" or output.text:
            yield output


def _cost(done: Play) -> str:
    memory = (done.results or {}).get("peak_memory_mb")
    text = f"⏱ about {max(1, round(done.seconds / 60))} min on {os.cpu_count()} CPU cores"
    return text + (f" · 💾 {memory / 1024:.1f} GB of memory" if memory else "") + " (measured by the last stored run)"


def update_section(text: str, name: str, content: str) -> str:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`; without the markers nothing changes."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(\n?<!-- /{re.escape(name)} -->)", re.DOTALL)
    return pattern.sub(lambda m: f"{m[1]}{content}\n{m[2].lstrip()}", text)


def read_scores(book: nbformat.NotebookNode) -> dict[str, float | None]:
    """Return the scores that an executed notebook prints, from the table of `Workspace.summary`.

    Args:
        book: the notebook.

    Returns:
        "baseline", "published", "ours", "ceiling" and "recovered" (by ours), with three decimals; None where unknown.
    """
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    for output in reversed(outputs):
        text = output.get("data", {}).get("text/plain", "")
        if text.split()[:2] == ["score", "recovered"]:
            rows = {name: [float(value) for value in values] for name, *values in map(str.split, text.splitlines()[1:])}
            found = {name: score for name, (score, _) in rows.items()} | {"recovered": rows["ours"][1]}
            return {name: None if math.isnan(value) else value for name, value in found.items()}
    return dict.fromkeys(("baseline", "published", "ours", "ceiling", "recovered"))


def scores_markdown(done: Iterable[Play]) -> str:
    """Return the README's score table of the plays that succeeded, as Markdown."""
    head = "| task | metric | baseline | published | **ours** | ceiling | recovered | seconds | memory |"
    lines = [head, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for item in done:
        if item.results is None:
            continue
        facts, found = competitions.find(item.task), item.results
        sign = "↑" if facts.higher_is_better else "↓"
        link = f"[{facts.number} · {facts.title}](notebooks/{item.task}.ipynb)"
        memory = found["peak_memory_mb"]
        lines.append(
            f"| {link} | {facts.metric} {sign} | {number(found['baseline'])} | {number(found['published'])} "
            f"| **{number(found['ours'])}** | {number(found['ceiling'])} | {share(found['recovered'])} "
            f"| {item.seconds:.0f} | {f'{memory / 1024:.1f} GB' if memory else '–'} |"
        )
    return "\n".join(lines)


_ROW = re.compile(r"^\| \[.*\]\((notebooks/task\d\.ipynb)\) \|.*$", re.MULTILINE)


def update_scores(text: str, done: Iterable[Play]) -> str:
    """Rewrite the README's rows of the plays that succeeded; the rows of other tasks stay as they are."""
    table = scores_markdown(done)
    rows = {found[1]: found[0] for found in [*_ROW.finditer(text), *_ROW.finditer(table)]}
    return update_section(text, "scores", "\n".join([*table.splitlines()[:2], *(rows[name] for name in sorted(rows))]))


def draw_overview(target: Path) -> None:
    """Draw what the published solution and ours recover in each stored notebook into a PNG file."""
    from neoai_utils import plotting

    shares = {}
    for task in available():
        facts, found = competitions.find(task), read_scores(books.read(find_notebook(task)))
        published = recovered(found["published"], found["baseline"], found["ceiling"])
        shares[f"{facts.number} · {facts.title}"] = (published, found["recovered"])
    plotting.use_style()
    with storage.atomic_path(target) as temporary:
        plotting.headroom_chart(shares).savefig(temporary, format="png", metadata={"Software": None})


def number(value: float | None) -> str:
    """Show a score with three decimals, an unknown one as a dash."""
    return "–" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """Show a share as per cent, an unknown one as a dash."""
    return "–" if value is None else f"{value:.0%}"


def copy_to(folder: Path, target: Path) -> None:
    """Copy a folder to a new place that must not exist yet or be empty.

    Raises:
        NeoaiError: the target holds files already.
    """
    if target.is_dir() and any(target.iterdir()):
        raise NeoaiError(f"{target} is not empty; choose a new folder.")
    storage.make_folder(target.parent)
    if target.is_dir():
        target.rmdir()
    with storage.atomic_folder(target) as temporary:
        shutil.copytree(folder, temporary, dirs_exist_ok=True)
