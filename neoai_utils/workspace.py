"""One door to a task: finds the competition's files or builds the miniature, writes and grades submissions.

A notebook opens its workspace once and has no other way to files or answers. The competition's files are looked
for in `data_dir`, then where Kaggle or Colab keep them; if they are nowhere, the task's miniature is built into the
cache (once per recipe, verified by checksums on each use, rebuilt when damaged). Answers lie in a folder of their own
beside the data; only `grade` opens it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from neoai_utils import competitions, discovery, runtime, storage, submissions
from neoai_utils.competitions import Competition
from neoai_utils.errors import AssetError, DataError, NeoaiError, ParameterError, SubmissionError
from neoai_utils.scores import Grades, Ladder, Role, Row, recovered
from neoai_utils.tables import require_paths

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RESULTS", "SUBMISSION", "Workspace", "build_miniature", "grade_file", "miniature_folder", "open_workspace"]

SUBMISSION, RESULTS = "submission.csv", "results.json"  # the files of an output folder
_PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "torch", "transformers", "diffusers")


class _Files(Protocol):
    """What a task's `files.py` offers to the workspace."""

    REQUIRED: tuple[str, ...]

    def check_submission(self, frame: pd.DataFrame, data_dir: Path) -> pd.DataFrame: ...

    def parse_submission(self, path: Path) -> pd.DataFrame: ...

    def grade(self, frame: pd.DataFrame, answers_dir: Path) -> Grades: ...


class _Miniature(Protocol):
    """What a task's `miniature.py` offers to the workspace."""

    def Recipe(self, *, seed: int) -> Any: ...

    def build(self, recipe: Any, data_dir: Path, answers_dir: Path) -> dict[str, float]: ...


def _room(competition: Competition, module: str) -> Any:
    """Import `files` or `miniature` of a task's folder.

    Raises:
        NeoaiError: this version of the library has no code for the task, or this copy of it lacks the module.
    """
    name = f"neoai_utils.{competition.technique}"
    if importlib.util.find_spec(name) is None:
        raise NeoaiError(f"{competition.task} ({competition.title}) is not part of this version of neoai.")
    if importlib.util.find_spec(f"{name}.{module}") is None:
        where = f" An upload builds no miniature, and {_nowhere(competition)}" if module == "miniature" else ""
        raise NeoaiError(f"{competition.task}: this copy of neoai has no {name}.{module}.{where}")
    return importlib.import_module(f"{name}.{module}")


@dataclass
class Workspace:
    """An open task; see `open_workspace`.

    Attributes:
        competition: the task's facts.
        data: "competition" for given files, "miniature" for built ones.
        data_dir: folder of the competition's files.
        out_dir: folder for `submission.csv` and `results.json`.
        seed: the notebook's seed.
        answers_dir: folder of the hidden answers; None where they are not known.
        ceiling: score of the oracle; None on the competition's own files.
        ladder: the notebook's rows.
    """

    competition: Competition
    data: Literal["competition", "miniature"]
    data_dir: Path
    out_dir: Path
    seed: int
    answers_dir: Path | None = None
    ceiling: float | None = None
    ladder: Ladder = field(init=False)

    def __post_init__(self) -> None:
        """Start the ladder and the clock."""
        self.ladder = Ladder(self.competition.metric, self.competition.higher_is_better)
        self._watch = runtime.Stopwatch()
        self._files = cast(_Files, _room(self.competition, "files"))

    def __repr__(self) -> str:
        """Say what is being played, without a path (a path would differ from machine to machine)."""
        source = "the competition's own files" if self.data == "competition" else "the miniature"
        return f"{self.competition.task}: {self.competition.title}, {source} ({self.competition.metric})"

    @property
    def graded(self) -> bool:
        """Whether the answers are known, so that submissions can be graded here."""
        return self.answers_dir is not None

    def grade(self, frame: pd.DataFrame) -> Grades | None:
        """Return the grades of a submission; None where no answers are known.

        Raises:
            SubmissionError: the submission does not have the competition's form.
        """
        return self._grades(self._files.check_submission(frame, self.data_dir))

    def record(
        self,
        name: str,
        submission: pd.DataFrame | Callable[[], pd.DataFrame] | None = None,
        *,
        validation: float | None = None,
        seconds: float | None = None,
        role: Role | None = None,
        **extra: float,
    ) -> Row:
        """Grade an idea where answers are known, add its row to the ladder and print it.

        Args:
            name: the idea in a few words. A row of the same name, or of the same role, is replaced.
            submission: its submission, or a function that computes it. The function is called only where answers are
                known, so that no prediction is made that nobody grades.
            validation: the metric on labelled data that the competition gives.
            seconds: the time that the idea took.
            role: "baseline", "published" or "ours".
            extra: further figures, name -> value.

        Raises:
            SubmissionError: the submission does not have the competition's form.
        """
        if callable(submission):
            submission = submission() if self.graded else None
        grades = None if submission is None else self.grade(submission)
        if grades is not None:
            extra |= grades.parts
        score = grades.score if grades else None
        row = self.ladder.add(name, score=score, validation=validation, seconds=seconds, role=role, **extra)
        figures = {"validation": row.validation, "score": row.score, **row.extra}
        shown = [f"{key} {value:.3f}" for key, value in figures.items() if value is not None]
        print(f"{name}: {', '.join(shown) or 'no answers here'}")
        return row

    @contextmanager
    def optional(self, name: str) -> Iterator[None]:
        """Leave out what cannot be played here: the block of the `with` statement ends, the notebook goes on.

        A package that is missing or does not fit, weights or data out of reach, a hub that does not answer: one line
        says what is left out and why. Every other error is raised as it is.

        Args:
            name: the ladder's row, or what the block does, for that line.
        """
        try:
            yield
        except Exception as error:
            reason = _out_of_reach(error)
            if reason is None:
                raise
            told = str(reason).strip().partition("\n")[0]
            print(f"Left out: {name} ({type(reason).__name__}{': ' * bool(told)}{told})")

    def submit(self, frame: pd.DataFrame) -> Row:
        """Write `submission.csv` and `results.json` into `out_dir`, grade where answers exist.

        The file is read back and compared before it takes its name. The submission's score goes into the ladder's row
        with the role "ours" (which is added if missing).

        Raises:
            SubmissionError: the submission does not have the competition's form, or its file would not read back as
                what was checked; nothing is written.
            NeoaiError: the output folder cannot be written; no half file is left.
        """
        frame = self._files.check_submission(frame, self.data_dir)
        grades = self._grades(frame)
        path, results_path = self.out_dir / SUBMISSION, self.out_dir / RESULTS
        with storage.atomic_path(path) as temporary:
            submissions.write_submission(frame, temporary)
            submissions.check_same(frame, self._files.parse_submission(temporary))
            # a kill between the two files must not leave old results beside a new submission
            results_path.unlink(missing_ok=True)
        ours = self._record_ours(grades)
        results = self._results(storage.sha256_of(path))
        with storage.atomic_path(results_path) as temporary:
            temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{SUBMISSION}: {len(frame)} rows; {self._verdict(grades, results)}")
        return ours

    def summary(self) -> pd.DataFrame:
        """Return baseline, published, ours and ceiling with the share of headroom that each recovers.

        Where no answers are known, there is neither: then the ladder's rows, with what is known of each.
        """
        import pandas as pd

        if not self.graded:
            known = {row.name: (row.role, row.validation, row.seconds) for row in self.ladder}
            table = pd.DataFrame.from_dict(known, orient="index", columns=["role", "validation", "seconds"])
            table = table.dropna(axis="columns", how="all").round(3)
            return table.astype(object).where(table.notna(), "")
        scores = self._role_scores() | {"ceiling": self.ceiling}
        base = scores["baseline"]
        lines = {k: {"score": v, "recovered": recovered(v, base, self.ceiling)} for k, v in scores.items()}
        return pd.DataFrame.from_dict(lines, orient="index").astype(float).round(3)

    def _grades(self, frame: pd.DataFrame) -> Grades | None:
        """Return the grades of a checked submission; None where no answers are known."""
        return None if self.answers_dir is None else self._files.grade(frame, self.answers_dir)

    def _record_ours(self, grades: Grades | None) -> Row:
        row = self.ladder.by_role("ours") or Row("ours", role="ours")
        extra = row.extra | dict(grades.parts if grades else {})
        score = grades.score if grades else None
        return self.ladder.add(
            row.name, score=score, validation=row.validation, seconds=row.seconds, role="ours", **extra
        )

    def _role_scores(self) -> dict[str, float | None]:
        rows = {role: self.ladder.by_role(role) for role in ("baseline", "published", "ours")}
        return {role: row.score if row else None for role, row in rows.items()}

    def _results(self, checksum: str) -> dict[str, object]:
        roles = self._role_scores()
        return {
            "task": self.competition.task,
            "data": self.data,
            "metric": self.competition.metric,
            "higher_is_better": self.competition.higher_is_better,
            "rows": [asdict(row) for row in self.ladder],
            **roles,
            "ceiling": self.ceiling,
            "recovered": recovered(roles["ours"], roles["baseline"], self.ceiling),
            "seconds": self._watch.seconds,
            "peak_memory_mb": runtime.peak_memory_mb(),
            "seed": self.seed,
            "versions": runtime.versions(*_PACKAGES),
            "submission_sha256": checksum,
        }

    def _verdict(self, grades: Grades | None, results: dict[str, object]) -> str:
        if grades is None:
            return "the answers are not known here, so upload it to learn its score"
        share = results["recovered"]
        return f"{grades}" + (f"; {share:.0%} of the headroom recovered" if isinstance(share, float) else "")


def _out_of_reach(error: BaseException | None) -> BaseException | None:
    """Return the error that says what this machine lacks; None if it is the code or a setting that is wrong."""
    if isinstance(error, NeoaiError):  # a plain one: the cache cannot be written
        return error if isinstance(error, AssetError) or type(error) is NeoaiError else None
    if isinstance(error, ImportError):
        return None if (error.name or "").startswith("neoai_utils") else error
    network = sys.modules.get("httpx")  # the hub's client, whose errors are no OSError
    if isinstance(error, OSError) or (network is not None and isinstance(error, network.HTTPError)):
        return error
    # packages that import their parts late wrap what went wrong there
    return _out_of_reach(error.__cause__) if isinstance(error, RuntimeError) else None


def open_workspace(
    task: str | int,
    data_dir: str | Path = "",
    out_dir: str | Path = "",
    *,
    seed: int = 42,
    miniature_seed: int = 0,
) -> Workspace:
    """Find the competition's files, else build the miniature, and make the output folder.

    Args:
        task: "task1" … "task8" or the number.
        data_dir: folder with the competition's files; empty: look where Kaggle and Colab keep files, then build.
        out_dir: folder for the outputs; empty: `/kaggle/working` on Kaggle, else `outputs/<task>` here.
        seed: the notebook's seed (recorded in `results.json`).
        miniature_seed: which of the many possible miniatures to build.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: `data_dir` lacks one of the competition's files (named, with what was found instead).
        ParameterError: a miniature must be built, and its seed is negative.
        NeoaiError: the output folder or the cache is not writable, or the task is not part of this version.
    """
    competition = competitions.find(task)
    runtime.quiet_libraries()
    out = storage.make_folder(Path(out_dir).expanduser() if out_dir else _default_out(competition))
    found = _find_data(competition, data_dir)
    if found is not None:
        return Workspace(competition, "competition", found, out, seed)
    if runtime.host() != "local":
        _room(competition, "miniature")
        print(
            f"NO COMPETITION FILES FOUND: {_nowhere(competition)} "
            "This run plays the MINIATURE, and its submission.csv is no entry to the competition."
        )
    folder = build_miniature(competition.task, miniature_seed)
    facts = json.loads((folder / "answers" / "facts.json").read_text(encoding="utf-8"))
    return Workspace(
        competition, "miniature", folder / "data", out, seed, folder / "answers", facts["ceiling"]
    )  # fmt: skip


def _default_out(competition: Competition) -> Path:
    return runtime.kaggle_folder("working") if runtime.host() == "kaggle" else Path("outputs") / competition.task


def _find_data(competition: Competition, data_dir: str | Path) -> Path | None:
    """Return the folder of the competition's files, None if they were not asked for and are not on this host."""
    required = _required(competition)
    if not data_dir:
        return discovery.find(competition.slug, required)
    folder = Path(data_dir).expanduser()
    tops = {name.split("/")[0] for name in required if "/" in name}
    if folder.name in tops and not (folder / folder.name).exists():
        folder = folder.parent  # pointed at the folder inside the archive
    found = discovery.find_below(folder, required)
    require_paths(found or folder, required)
    return found


def _required(competition: Competition) -> tuple[str, ...]:
    return cast(_Files, _room(competition, "files")).REQUIRED


def _nowhere(competition: Competition) -> str:
    return discovery.not_found_message(competition.slug, _required(competition))


def miniature_folder(task: str, seed: int = 0) -> Path:
    """Return where the cache keeps this miniature: the name holds a hash of every constant of its recipe.

    Raises:
        ParameterError: the seed is negative, which NumPy's generators refuse.
    """
    if seed < 0:
        raise ParameterError(f"the miniature's seed must be 0 or more, got {seed}.")
    competition = competitions.find(task)
    recipe = cast(_Miniature, _room(competition, "miniature")).Recipe(seed=seed)
    text = json.dumps(asdict(recipe), sort_keys=True)
    return storage.cache_dir() / "miniatures" / f"{competition.task}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def build_miniature(task: str, seed: int = 0) -> Path:
    """Return the verified folder of a miniature (`data/`, `answers/`); build it if it is missing or damaged.

    A whole one is used without a lock and without writing, so a read-only cache serves. Several processes may ask at
    once: one builds, the others wait.

    Raises:
        ParameterError: the seed is negative.
        NeoaiError: the cache folder is not writable, or its disk is full.
    """
    folder = miniature_folder(task, seed)
    if _problem(folder) is not None:
        with storage.alone(folder.with_suffix(".lock")):
            problem = _problem(folder)
            if problem is not None:
                _clear(folder, problem)
                _build(task, seed, folder)
    return folder


def _problem(folder: Path) -> str | None:
    """Return what is wrong with a cached miniature, "" where there is none yet, None for a whole one."""
    if not folder.exists():
        return ""
    try:
        storage.verify_manifest(folder)
    except (DataError, OSError) as error:
        return str(error)
    return None


def _clear(folder: Path, problem: str) -> None:
    """Remove a damaged miniature, and what a killed builder has left; the lock must be held."""
    if problem:
        print(f"The cached miniature is damaged and is built again ({problem}).")
    for stale in (folder, *folder.parent.glob(f".{folder.name}.*.part")):
        if stale.is_dir():
            shutil.rmtree(stale)
        else:
            stale.unlink(missing_ok=True)


def _build(task: str, seed: int, folder: Path) -> None:
    miniature = cast(_Miniature, _room(competitions.find(task), "miniature"))
    with storage.atomic_folder(folder) as temporary:
        data, answers = temporary / "data", temporary / "answers"
        data.mkdir()
        answers.mkdir()
        facts = miniature.build(miniature.Recipe(seed=seed), data, answers)
        (answers / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        storage.write_manifest(temporary)


def grade_file(task: str, submission: Path, miniature: Path) -> Grades:
    """Grade a `submission.csv` against the answers of a built miniature.

    Args:
        task: "task1" … "task8".
        submission: the file.
        miniature: the folder that `build_miniature` returned.

    Raises:
        DataError: the file is missing or no CSV table.
        SubmissionError: it does not have the competition's form.
    """
    files = cast(_Files, _room(competitions.find(task), "files"))
    frame = files.parse_submission(submission)
    try:
        frame = files.check_submission(frame, miniature / "data")
    except SubmissionError as error:
        raise SubmissionError(f"{submission}: {error}") from error
    return files.grade(frame, miniature / "answers")
