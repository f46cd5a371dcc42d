"""The `neoai` command: play notebooks once or over a grid, show them, grade, write a miniature or an upload."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from neoai_utils import competitions, miniatures, runtime, storage, workspace
from neoai_utils.commands import badges, headless, repository
from neoai_utils.commands import bundle as uploads
from neoai_utils.commands import sweep as sweeps
from neoai_utils.commands.headless import Play, number, share
from neoai_utils.errors import DataError, NeoaiError, ParameterError

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
screen = Console(highlight=False)

Tasks = Annotated[list[str] | None, typer.Argument(help="Task numbers, such as 5 7. All that exist if left out.")]
Outputs = Annotated[Path, typer.Option("--outputs", "-o", help="Folder for notebooks, submissions and results.")]
Parameter = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="A notebook parameter: -p NAME VALUE, as in papermill; repeatable."),
]


@app.command()
def run(
    tasks: Tasks = None,
    outputs: Outputs = Path("outputs"),
    parameter: Parameter = None,
    store: Annotated[
        bool,
        typer.Option("--store", help="Put the executed notebooks back into notebooks/, and the scores into README.md."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Notebooks at a time. Left out: two on a CPU, one to store or on a GPU."
        ),
    ] = None,
) -> None:
    """Play notebooks, one line each, then show the table of scores."""
    texts = dict(_split(text) for text in parameter or [])
    named = [competitions.find(task).task for task in tasks] if tasks else headless.available()
    chosen = list(dict.fromkeys(named))
    if not chosen:
        raise DataError("no notebooks here: run this in the folder that holds notebooks/.")
    # a missing notebook or a mistyped parameter is told before the first is played
    given = {task: headless.typed(headless.find_notebook(task), texts) for task in chosen}
    if jobs is None:
        jobs = 1 if store or len(chosen) == 1 else headless.default_jobs()
    plays = sorted(_played(chosen, outputs, given, jobs), key=lambda done: chosen.index(done.task))
    if any(p.results for p in plays):
        screen.print(_table(plays))
    screen.print(f"outputs lie in {outputs}/")
    if store:
        _store(plays)
    _show(outputs)
    if any(p.error for p in plays):
        raise typer.Exit(1)


@app.command()
def gallery(outputs: Outputs = Path("outputs")) -> None:
    """Make a site to read: OUTPUTS/index.html with the scores, and each story as a page that needs no network.

    Shows the notebooks played last; where a task was not played, or failed, the one stored in notebooks/.
    """
    from neoai_utils.commands.gallery import build

    runtime.quiet_libraries()
    screen.print(f"read {build(outputs)}", soft_wrap=True, markup=False)


@app.command()
def score(
    task: Annotated[str, typer.Argument(help="The task, such as 7.")],
    submission: Annotated[Path, typer.Argument(help="A submission.csv.")],
    seed: Annotated[int, typer.Option(help="Which miniature it was made for.")] = 0,
) -> None:
    """Grade a submission against the answers of the miniature."""
    facts = competitions.find(task)
    folder = miniatures.build_miniature(facts.task, seed)
    grades = workspace.grade_file(facts.task, submission, folder)
    for name, value in {"score": grades.score, **grades.parts}.items():
        screen.print(f"{name:20s} {value:.4f}")


@app.command()
def miniature(
    task: Annotated[str, typer.Argument(help="The task, such as 7.")],
    folder: Annotated[Path, typer.Argument(help="A new folder; gets data/ and answers/.")],
    seed: Annotated[int, typer.Option(help="Which of the many possible miniatures.")] = 0,
) -> None:
    """Write a miniature of the competition, in its exact file format, with the answers apart."""
    built = miniatures.build_miniature(competitions.find(task).task, seed)
    headless.copy_to(built, folder)
    screen.print(f"{folder}/data holds the competition's files, {folder}/answers the hidden answers")


@app.command()
def bundle(
    tasks: Tasks = None,
    every: Annotated[bool, typer.Option("--all", help="All notebooks that exist.")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where the uploads are written.")] = Path("dist/kaggle"),
    user: Annotated[
        str, typer.Option("--user", envvar="KAGGLE_USERNAME", help="Your name on Kaggle, the first part of the id.")
    ] = uploads.USER,
) -> None:
    """Write notebooks that carry the library inside, ready for `kaggle kernels push`."""
    if every == bool(tasks):
        raise ParameterError("name tasks, such as `neoai bundle task7`, or write `neoai bundle --all`.")
    chosen = headless.available() if every else [competitions.find(task).task for task in tasks or []]
    for task in chosen:
        headless.find_notebook(task)  # a missing one is told before the first is written
    for task in chosen:
        written = uploads.write(task, folder, user)
        size = (written / f"{written.name}.ipynb").stat().st_size
        screen.print(f"{size / 1000:4.0f} kB   kaggle kernels push -p {written}", soft_wrap=True, markup=False)
        if uploads.NEEDS[task].attach:
            screen.print(f"          {uploads.NEEDS[task].attach}", soft_wrap=True, markup=False)
    if user == uploads.USER:
        screen.print(f"first put your Kaggle name in place of {user}, or give it here: --user NAME", soft_wrap=True)


@app.command()
def address(
    url: Annotated[str | None, typer.Argument(help="A new one, such as https://github.com/NAME/neoai.")] = None,
) -> None:
    """Show the repository's address, or set it, and write it into badges, first cells and README.md.

    It stands in pyproject.toml alone; all else is generated from there.
    """
    if url is not None:
        repository.set_address(url)
    for path in badges.renew():
        screen.print(f"rewrote {path}", soft_wrap=True, markup=False)
    screen.print(repository.address(), soft_wrap=True, markup=False)


class Backend(StrEnum):
    """Where a sweep runs."""

    local = "local"
    dask = "dask"


@app.command()
def sweep(
    task: Annotated[str, typer.Argument(help="The task, such as 7. Write it before the parameters.")],
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="A notebook parameter and its values: -p NAME V1 V2 …; repeatable."),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, help="Points at a time. Left out: one here, all threads of a cluster."),
    ] = None,
    outputs: Outputs = Path("outputs"),
    backend: Annotated[
        Backend, typer.Option(help="This machine, or a Dask cluster that runs already.")
    ] = Backend.local,
    scheduler: Annotated[str | None, typer.Option(help="Address of the Dask scheduler, tcp://HOST:8786.")] = None,
) -> None:
    """Play a notebook at every combination of parameter values; a finished point is not run again.

    Leaves sweep.csv, sweep.png and each point's notebook in OUTPUTS/sweeps/TASK. The words after -p NAME are its
    values, up to the next option; a value that begins with a dash and is no number is written -p NAME=VALUE.
    The exit status is 1 if a point failed; the same command then runs the failed points again.
    """
    if (backend is Backend.dask) != (scheduler is not None):
        raise ParameterError("--backend dask and --scheduler ADDRESS belong together: give both or none.")
    plan = sweeps.plan(task, _grid(parameter or []), outputs)
    plays = sweeps.finished(plan)
    total = len(plan.points)
    screen.print(
        f"{plan.task}: {total} points, {len(plays)} of them finished before; outputs lie in {plan.folder}/",
        soft_wrap=True,
    )
    sweeps.write(plan, plays)
    for point, done in sweeps.run(plan, plays, jobs, scheduler):
        plays.append(done)
        setting = ", ".join(f"{name} {value}" for name, value in point.parameters.items())
        screen.print(f"{len(plays)}/{total}  " + _line(done, setting), soft_wrap=True, markup=False)
        sweeps.write(plan, plays)
    failed = sum(play.error is not None for play in plays)
    if failed:
        screen.print(f"{failed} of {total} points failed; the same command runs them again")
        raise typer.Exit(1)


def _grid(texts: list[str]) -> dict[str, list[str]]:
    """Collect the values of each parameter."""
    grid: dict[str, list[str]] = {}
    for text in texts:
        name, value = _split(text)
        grid.setdefault(name, []).append(value)
    return grid


def _join_parameters(words: list[str]) -> list[str]:
    """Write papermill's `-p NAME VALUE` as one option value, `-p NAME=VALUE`, which typer can read repeatedly.

    A sweep's `-p NAME V1 V2` becomes `-p NAME=V1 -p NAME=V2`: typer has no options with any number of values.
    """
    joined: list[str] = []
    rest = deque(words)
    while rest:
        word = rest.popleft()
        if word not in ("-p", "--parameter") or not rest:
            joined.append(word)
            continue
        name = rest.popleft()
        values = [rest.popleft()] if rest and "=" not in name else []
        while words[0] == "sweep" and values and rest and not _is_option(rest[0]):
            values.append(rest.popleft())
        for text in [f"{name}={value}" for value in values] or [name]:
            joined += [word, text]
    return joined


def _is_option(word: str) -> bool:
    """Tell an option from a value; a negative number is a value."""
    try:
        float(word)
    except ValueError:
        return word.startswith("-")
    return False


def _split(text: str) -> tuple[str, str]:
    """Split `name=value`.

    Raises:
        ParameterError: there is no value, or the name cannot be one.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ParameterError(f"{text!r} is not a parameter; write -p NAME VALUE")
    return name, value


def _show(outputs: Path) -> None:
    """Build the gallery after a run; whatever goes wrong with it, the run is done and keeps its exit status."""
    try:
        gallery(outputs)
    except (Exception, KeyboardInterrupt) as problem:
        reason = " ".join(str(problem).split()) or type(problem).__name__
        screen.print(f"the gallery was not built: {reason}; neoai gallery tries again", soft_wrap=True, markup=False)


def _played(tasks: list[str], outputs: Path, given: dict[str, dict[str, object]], jobs: int) -> Iterator[Play]:
    """Play tasks and print a line for each as it ends; a terminal shows how many are still to come."""
    left = len(tasks)
    with screen.status(f"{left} to play …") if screen.is_terminal else nullcontext() as status:
        for done in headless.play_all(tasks, outputs, given, jobs):
            screen.print(_line(done, competitions.find(done.task).title), soft_wrap=True, markup=False)
            left -= 1
            if status is not None:
                status.update(f"{left} to play …")
            yield done


def _line(done: Play, title: str) -> str:
    start = f"{done.task}  {title:32s} {done.seconds:5.0f} s  "
    if done.results is None:
        return start + f"failed: {done.error} (see {done.notebook})"
    ours, metric = done.results["ours"], done.results["metric"]
    return start + (f"{metric} {ours:.3f}" if ours is not None else "submission written, answers unknown")


def _table(plays: list[Play]) -> Table:
    table = Table(title="score of each task; recovered = (ours - baseline) / (ceiling - baseline)")
    table.add_column("task")
    for column in ("baseline", "published", "ours", "ceiling", "recovered", "seconds", "MB"):
        table.add_column(column, justify="right")
    for done in plays:
        found = done.results
        if found is None:
            table.add_row(done.task, "failed")
            continue
        scores = [number(found[key]) for key in ("baseline", "published", "ours", "ceiling")]
        memory = found["peak_memory_mb"]
        table.add_row(
            done.task, *scores, share(found["recovered"]), f"{done.seconds:.0f}", f"{memory:.0f}" if memory else "–"
        )  # fmt: skip
    return table


def _store(plays: list[Play]) -> None:
    for done in plays:
        screen.print(f"stored {headless.store(done)}")
    badges.renew()
    readme = Path("README.md")
    if readme.is_file():
        text = headless.update_scores(readme.read_text(encoding="utf-8"), plays)
        with storage.atomic_path(readme) as temporary:
            temporary.write_text(text, encoding="utf-8")
        headless.draw_overview(Path(".github/overview.png"))
        screen.print("updated the score table and the picture of README.md")


def main() -> None:
    """Run the command; an error of ours ends it with its message alone and exit status 1."""
    try:
        app(args=_join_parameters(sys.argv[1:]))
    except NeoaiError as error:
        Console(stderr=True, highlight=False).print(f"neoai: {error}", soft_wrap=True, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
