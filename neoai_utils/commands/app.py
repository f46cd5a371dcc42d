"""The `neoai` command: run notebooks once or over a grid, show them, grade, write a miniature or an upload."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from neoai_utils import competitions, miniatures, runtime, storage, workspace
from neoai_utils.commands import badges, notebooks, report, repository, seeds
from neoai_utils.commands import bundle as uploads
from neoai_utils.commands import exercises as measured
from neoai_utils.commands import practice as practices
from neoai_utils.commands import run as runs
from neoai_utils.commands import sweep as sweeps
from neoai_utils.commands.board import Board
from neoai_utils.commands.report import number, share
from neoai_utils.commands.run import Run
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import DataError, NeoaiError, ParameterError

__all__ = ["app", "main"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)
screen = Console(highlight=False)

Tasks = Annotated[list[str] | None, typer.Argument(help="Task numbers, such as 5 7. All that exist if left out.")]
Outputs = Annotated[Path, typer.Option("--outputs", "-o", help="Folder for notebooks, submissions and results.")]
Difficulty = Annotated[
    str, typer.Option(help="Which form of the miniature, for a task with several: hard or kind, task 4.")
]
Parameter = Annotated[
    list[str] | None,
    typer.Option("--parameter", "-p", help="A notebook parameter: -p NAME VALUE, as in papermill; repeatable."),
]


@app.command()
def run(
    tasks: Tasks = None,
    *,
    outputs: Outputs = Path("outputs"),
    parameter: Parameter = None,
    store: Annotated[
        bool,
        typer.Option("--store", help="Store the executed notebooks in notebooks/ and the scores in README.md."),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs", "-j", min=1, help="Notebooks at a time. Left out: two on a CPU, one to store or on a GPU."
        ),
    ] = None,
    over: Annotated[
        int, typer.Option("--miniatures", min=1, help="With --store: over how many miniatures the README's means are.")
    ] = 3,
    quick: Annotated[
        bool, typer.Option("--quick", help="Play only the rows that the choice needs; some tables lack the others.")
    ] = False,
) -> None:
    """Run notebooks, one line each, then show the table of scores."""
    if store and (parameter or quick):
        raise ParameterError("--store stores what a notebook's defaults give; leave out -p and --quick.")
    names = _resolve(tasks) if tasks else notebooks.available()
    if not names:
        raise DataError("no notebooks here: run this in the folder that holds notebooks/.")
    # a missing notebook or a mistyped parameter is an error before the first one runs
    texts = _collect(parameter)
    typed = {name: notebooks.typed(notebooks.find_notebook(name), texts) for name in names}
    values = {name: {key: last for key, (*_, last) in lists.items()} for name, lists in typed.items()}
    if quick:
        values = {name: {"ladder": False, **given} for name, given in values.items()}
    if jobs is None:
        jobs = 1 if store or len(names) == 1 else runs.default_jobs()
    finished = sorted(_run_all(names, outputs, values, jobs), key=lambda done: names.index(done.task))
    if any(done.results for done in finished):
        screen.print(_table(finished))
    screen.print(f"outputs are in {outputs}/")
    if store:
        _store(finished, over, outputs)
    _show(outputs)
    if any(done.error for done in finished):
        raise typer.Exit(1)


@app.command()
def gallery(outputs: Outputs = Path("outputs")) -> None:
    """Write OUTPUTS/index.html with the scores, and each notebook as a page that needs no network.

    Shows the last run of each notebook; if there is none, or it failed, the notebook stored in notebooks/.
    """
    from neoai_utils.commands.gallery import build

    runtime.quiet_libraries()
    screen.print(f"open {build(outputs)}", soft_wrap=True, markup=False)


@app.command()
def score(
    task: Annotated[str, typer.Argument(help="The task, such as 7.")],
    submissions: Annotated[list[Path], typer.Argument(help="The submission, a CSV file; several with --table.")],
    *,
    seed: Annotated[int, typer.Option(help="Which miniature it was made for.")] = 0,
    difficulty: Difficulty = "",
    table: Annotated[
        bool, typer.Option("--table", help="Rank submissions: OUTPUTS/ranking.csv and OUTPUTS/ranking.html.")
    ] = False,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Grade a submission against the answers of the miniature, or rank those of a class."""
    name = competitions.find(task).task
    if not table and len(submissions) > 1:
        raise ParameterError("several submissions are ranked: add --table.")
    folder = miniatures.build_miniature(name, seed, **_form(difficulty))
    if table:
        _rank(name, submissions, folder, outputs)
        return
    grades = workspace.grade_file(name, submissions[0], folder)
    for part, value in {"score": grades.score, **grades.parts}.items():
        screen.print(f"{part:20s} {value:.4f}")


@app.command()
def miniature(
    task: Annotated[str, typer.Argument(help="The task, such as 7.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for data/ and answers/.")],
    seed: Annotated[int, typer.Option(help="Which of the many possible miniatures.")] = 0,
    difficulty: Difficulty = "",
) -> None:
    """Write a miniature of the competition in its exact file format, with the answers in a folder of their own."""
    built = miniatures.build_miniature(competitions.find(task).task, seed, **_form(difficulty))
    storage.copy_folder(built, folder)
    screen.print(f"{folder}/data holds the competition's files, {folder}/answers the hidden answers")


@app.command()
def practice(
    task: Annotated[str | None, typer.Argument(help="The task, such as 7.")] = None,
    folder: Annotated[Path | None, typer.Argument(help="A new folder; practice/task7 if left out.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All tasks, each into practice/taskN.")] = False,
) -> None:
    """Write a task to practise on: its files, the baseline, hints, and a table of your own attempts."""
    if every == bool(task):
        raise ParameterError("name a task, such as `neoai practice 7`, or write `neoai practice --all`.")
    folders = {name: folder or Path("practice") / name for name in _resolve([task] if task else notebooks.available())}
    for target in folders.values():
        practices.require_free(target)
    for name, target in folders.items():
        screen.print(f"open {practices.write(name, target)}", soft_wrap=True, markup=False)


@app.command()
def exercises(tasks: Tasks = None, *, outputs: Outputs = Path("outputs")) -> None:
    """Play the changes that the notebooks' last sections suggest, and store what each gave below it, folded."""
    for name in _resolve(tasks) if tasks else notebooks.available():
        screen.print(f"rewrote {measured.write(name, measured.measure(name, outputs))}", soft_wrap=True, markup=False)


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
    names = _resolve(tasks) if tasks else notebooks.available()
    for name in names:
        notebooks.find_notebook(name)  # a missing one is an error before the first is written
    for name in names:
        written = uploads.write(name, folder, user)
        size = (written / f"{name}.ipynb").stat().st_size
        screen.print(f"{size / 1000:4.0f} kB   kaggle kernels push -p {written}", soft_wrap=True, markup=False)
        if attach := COMPETITIONS[name].needs.attach:
            screen.print(f"          {attach}", soft_wrap=True, markup=False)
    if user == uploads.USER:
        screen.print(f"first replace {user} by your Kaggle name, or give it here: --user NAME", soft_wrap=True)


@app.command()
def address(
    url: Annotated[str | None, typer.Argument(help="A new one, such as https://github.com/NAME/neoai.")] = None,
) -> None:
    """Show the repository's address, or set it, and write it into badges, first cells and README.md.

    pyproject.toml alone holds it; the rest is generated from there.
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
    """Run a notebook at every combination of parameter values; a finished point is not run again.

    Leaves sweep.csv, sweep.png and each point's notebook in OUTPUTS/sweeps/TASK. The words after -p NAME are its
    values, up to the next option; a value that begins with a dash and is no number is written -p NAME=VALUE.
    The exit status is 1 if a point failed; the same command then runs the failed points again.
    """
    if (backend is Backend.dask) != (scheduler is not None):
        raise ParameterError("--backend dask and --scheduler ADDRESS belong together: give both or none.")
    planned = sweeps.plan(competitions.find(task).task, _collect(parameter), outputs)
    done = sweeps.finished(planned)
    total = len(planned.points)
    screen.print(
        f"{planned.task}: {total} points, {len(done)} of them finished before; outputs are in {planned.folder}/",
        soft_wrap=True,
    )
    sweeps.write(planned, done)
    for point, latest in sweeps.run(planned, done, jobs, scheduler):
        done.append(latest)
        values = ", ".join(f"{name} {value}" for name, value in point.parameters.items())
        screen.print(f"{len(done)}/{total}  " + _line(latest, values), soft_wrap=True, markup=False)
        sweeps.write(planned, done)
    failed = sum(ended.error is not None for ended in done)
    if failed:
        screen.print(f"{failed} of {total} points failed; the same command runs them again")
        raise typer.Exit(1)


def _rank(task: str, submissions: list[Path], folder: Path, target: Path) -> None:
    """Print the ranking of submissions and write it into a folder."""
    from neoai_utils.commands import ranking as rankings

    ranking = rankings.rank(task, submissions, folder)
    places = ranking.places()
    for name, grades in ranking.grades.items():
        screen.print(f"{places[name]:4d}  {grades.score:.4f}  {name}", soft_wrap=True, markup=False)
    for name, reason in ranking.refused.items():
        screen.print(f"   –  skipped  {name}: {reason}", soft_wrap=True, markup=False)
    screen.print(f"open {rankings.write(ranking, target)}", soft_wrap=True, markup=False)
    if not ranking.grades:
        raise typer.Exit(1)


def _form(difficulty: str) -> dict[str, str]:
    """Return the constants of a miniature's recipe that an option sets."""
    return {"difficulty": difficulty} if difficulty else {}


def _resolve(tasks: Iterable[str]) -> list[str]:
    """Return the exact names of tasks, each once: "task7" for "7"."""
    return list(dict.fromkeys(competitions.find(task).task for task in tasks))


def _collect(words: Iterable[str] | None) -> dict[str, list[str]]:
    """Collect the values of each parameter from words such as "name=value".

    Raises:
        ParameterError: there is no value, or the name is no identifier.
    """
    values: dict[str, list[str]] = {}
    for word in words or []:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ParameterError(f"{word!r} is not a parameter; write -p NAME VALUE")
        values.setdefault(name, []).append(value)
    return values


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
    """Return whether a word is an option; a negative number is a value."""
    try:
        float(word)
    except ValueError:
        return word.startswith("-")
    return False


def _show(outputs: Path) -> None:
    """Build the gallery after a run; an error there does not change the run's exit status."""
    try:
        gallery(outputs)
    except (Exception, KeyboardInterrupt) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        screen.print(f"the gallery was not built: {reason}; neoai gallery tries again", soft_wrap=True, markup=False)


def _run_all(tasks: list[str], outputs: Path, values: Mapping[str, Mapping[str, object]], jobs: int) -> Iterator[Run]:
    """Run tasks and print a line for each as it ends, below them what is being played."""
    left = list(tasks)
    try:
        with Board(screen) as board:
            for done in runs.run_all(tasks, outputs, values, jobs, board):
                screen.print(_line(done, COMPETITIONS[done.task].title), soft_wrap=True, markup=False)
                left.remove(done.task)
                yield done
    except KeyboardInterrupt:
        rest = " ".join(name.removeprefix("task") for name in left)
        advice = f" To go on, give the same command for the tasks that are left: {rest}" if left else ""
        screen.print(f"stopped; what is finished is in {outputs}/.{advice}", soft_wrap=True)
        raise typer.Exit(130) from None


def _line(done: Run, title: str) -> str:
    start = f"{done.task}  {title:32s} {done.seconds:5.0f} s  "
    if done.results is None:
        return start + f"failed: {done.error} (see {done.notebook})"
    ours, metric = done.results["ours"], done.results["metric"]
    return start + (f"{metric} {ours:.3f}" if ours is not None else "submission written, answers unknown")


def _table(finished: Iterable[Run]) -> Table:
    table = Table(title="score of each task; recovered = (ours - baseline) / (ceiling - baseline)")
    table.add_column("task")
    for column in ("baseline", "published", "ours", "ceiling", "recovered", "seconds", "MB"):
        table.add_column(column, justify="right")
    for done in finished:
        if done.results is None:
            table.add_row(done.task, "failed")
            continue
        scores = [number(done.results[role]) for role in ("baseline", "published", "ours", "ceiling")]
        recovered, memory = share(done.results["recovered"]), done.results["peak_memory_mb"]
        table.add_row(done.task, *scores, recovered, f"{done.seconds:.0f}", f"{memory:.0f}" if memory else "–")
    return table


def _store(finished: Sequence[Run], over: int, outputs: Path) -> None:
    """Store notebooks, scores and README; nothing is stored if a play on another miniature fails."""
    others = {}
    for done in finished:
        if over > 1:
            screen.print(f"{done.task}: {over - 1} more miniatures …")
        others[done.task] = seeds.play(done.task, over, outputs)
    for done in finished:
        screen.print(f"stored {report.store(done)}")
        seeds.keep(done.task, [done, *others[done.task]], Path.cwd())
    badges.renew()
    readme = Path("README.md")
    if readme.is_file():
        text = report.update_scores(readme.read_text(encoding="utf-8"), finished, seeds.read(Path.cwd()))
        with storage.atomic_path(readme) as temporary:
            temporary.write_text(text, encoding="utf-8")
        report.draw_overview(Path(".github/overview.png"))
        screen.print("updated the score table and the overview figure of README.md")


def main() -> None:
    """Run the command; a `NeoaiError` ends it with one line and exit status 1."""
    try:
        app(args=_join_parameters(sys.argv[1:]))
    except NeoaiError as error:
        Console(stderr=True, highlight=False).print(f"neoai: {error}", soft_wrap=True, markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
