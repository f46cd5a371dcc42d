"""A notebook's only access to a task: its files, its hidden answers, its submission and its results.

`open_workspace` looks for the competition's files in `data_dir`, then in the folders of Kaggle and Colab. If there are
none, it builds the task's miniature (`miniatures`). The hidden answers lie in a separate folder; only grading opens it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from neoai_utils import competitions, discovery, runtime, storage, submissions
from neoai_utils.competitions import COMPETITIONS, Competition
from neoai_utils.costs import CellCosts
from neoai_utils.errors import AssetError, NeoaiError, SubmissionError
from neoai_utils.miniatures import build_miniature
from neoai_utils.scores import ROLES, Grades, Ladder, Role, Row, recovered, with_error
from neoai_utils.tables import require_paths
from neoai_utils.task_modules import files_of, miniature_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RESULTS", "SUBMISSION", "Workspace", "grade_file", "open_workspace"]

SUBMISSION, RESULTS = "submission.csv", "results.json"
"""Names of the two files in an output folder."""
MINIATURE_THREADS = 1
"""Threads that compute on a miniature, whatever the machine; two notebooks at a time keep two cores busy."""

_PACKAGES = ("numpy", "pandas", "scikit-learn", "lightgbm", "torch", "transformers", "diffusers")


@dataclass
class Workspace:
    """An open task; see `open_workspace`.

    Attributes:
        competition: the task's facts.
        data: "competition" for the competition's files, "miniature" for built ones.
        data_dir: folder of the files.
        out_dir: folder for `submission.csv` and `results.json`.
        seed: the notebook's seed.
        answers_dir: folder of the hidden answers; None for the competition's files.
        ceiling: score of the oracle; None for the competition's files.
        ladder: the rows of the notebook.
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
        self._costs = CellCosts()
        self._files = files_of(self.competition)

    def __repr__(self) -> str:
        """Describe the task and its data without paths, which differ between machines."""
        source = "the competition's own files" if self.data == "competition" else "the miniature"
        return f"{self.competition.task}: {self.competition.title}, {source} ({self.competition.metric})"

    @property
    def graded(self) -> bool:
        """Whether the hidden answers are available, so that submissions can be graded."""
        return self.answers_dir is not None

    def grade(self, frame: pd.DataFrame) -> Grades | None:
        """Return the grades of a submission; None without answers.

        Raises:
            SubmissionError: the submission does not have the competition's form.
        """
        return self._grades(self._files.check_submission(frame, self.data_dir))

    def record(
        self,
        name: str,
        submission: pd.DataFrame | Callable[[], pd.DataFrame] | Grades | None = None,
        *,
        validation: float | Grades | None = None,
        seconds: float | None = None,
        role: Role | None = None,
        **extra: float,
    ) -> Row:
        """Grade an idea if there are answers, add its row to the ladder and print it.

        Args:
            name: the idea in a few words. A row of the same name, or of the same role, is replaced.
            submission: its submission, or a function that computes it. The function is called only if there are
                answers, so that no test prediction is computed without being graded. Grades are taken as they are: a
                recipe with a random part has the mean of several submissions.
            validation: the metric on labelled data of the competition; as grades it carries its standard error.
            seconds: time that the idea took.
            role: "baseline", "published" or "ours".
            extra: further figures, name -> value.

        Raises:
            SubmissionError: the submission does not have the competition's form.
        """
        if callable(submission):
            submission = submission() if self.graded else None
        grades = submission if submission is None or isinstance(submission, Grades) else self.grade(submission)
        if grades is not None:
            extra |= grades.parts
        checked = validation if isinstance(validation, Grades) or validation is None else Grades(validation)
        row = self.ladder.add(
            name, **_figures(grades, "score", "error"), **_figures(checked, "validation", "validation_error"),
            seconds=seconds, role=role, **extra,
        )  # fmt: skip
        figures = {"validation": (row.validation, row.validation_error), "score": (row.score, row.error)}
        figures |= {key: (value, None) for key, value in row.extra.items()}
        texts = [f"{key} {with_error(value, error)}" for key, (value, error) in figures.items() if value is not None]
        print(f"{name}: {', '.join(texts) or 'no answers here'}")
        return row

    @contextmanager
    def optional(self, name: str) -> Iterator[None]:
        """Skip the rest of the `with` block if it needs something that this machine lacks.

        That is a package that is missing or of another version, weights or data that cannot be downloaded, or a hub
        that does not respond. One printed line names what is left out and why. All other errors are raised.

        Args:
            name: the ladder's row, or what the block does, for the printed line.
        """
        try:
            yield
        except Exception as error:
            reason = _out_of_reach(error)
            if reason is None:
                raise
            message = str(reason).strip().partition("\n")[0]
            print(f"Left out: {name} ({type(reason).__name__}{': ' * bool(message)}{message})")

    def submit(self, frame: pd.DataFrame) -> Row:
        """Write `submission.csv` and `results.json` into `out_dir`; grade the submission if there are answers.

        The file is written under a temporary name, read back, compared and renamed. The score goes into the ladder's
        row with the role "ours", which is added if it is missing.

        Raises:
            SubmissionError: the submission does not have the competition's form, or its file does not read back as it
                was written; nothing is written.
            NeoaiError: the output folder cannot be written; no incomplete file remains.
        """
        frame = self._files.check_submission(frame, self.data_dir)
        grades = self._grades(frame)
        path, results_path = self.out_dir / SUBMISSION, self.out_dir / RESULTS
        with storage.atomic_path(path) as temporary:
            submissions.write_submission(frame, temporary)
            submissions.check_same(frame, self._files.parse_submission(temporary))
            # a process killed between the two files must not leave old results beside a new submission
            results_path.unlink(missing_ok=True)
        ours = self._record_ours(grades)
        results = self._results(storage.sha256_of(path))
        with storage.atomic_path(results_path) as temporary:
            temporary.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(f"{SUBMISSION}: {len(frame)} rows; {self._verdict(grades, results)}")
        return ours

    def summary(self) -> pd.DataFrame:
        """Return the scores of baseline, published solution, ours and ceiling, and the headroom that each recovers.

        The column `error` is one standard error of the score.

        Without answers there are no scores; then the table holds role, validation and seconds of the ladder's rows.
        """
        import pandas as pd

        if not self.graded:
            rows = {row.name: (row.role, row.validation, row.seconds) for row in self.ladder}
            table = pd.DataFrame.from_dict(rows, orient="index", columns=["role", "validation", "seconds"])
            table = table.dropna(axis="columns", how="all").round(3)
            return table.astype(object).where(table.notna(), "")
        scores = self._role_scores() | {"ceiling": self.ceiling}
        errors: dict[str, float | None] = {row.role: row.error for row in self.ladder if row.role}
        base = scores["baseline"]
        lines = {
            k: {"score": v, "error": errors.get(k), "recovered": recovered(v, base, self.ceiling)}
            for k, v in scores.items()
        }
        table = pd.DataFrame.from_dict(lines, orient="index").astype(float).round(3)
        return table.assign(error=table["error"].astype(object).where(table["error"].notna(), ""))

    def _grades(self, frame: pd.DataFrame) -> Grades | None:
        """Return the grades of a checked submission; None without answers."""
        return None if self.answers_dir is None else self._files.grade(frame, self.answers_dir)

    def _record_ours(self, grades: Grades | None) -> Row:
        row = self.ladder.by_role("ours") or Row("ours", role="ours")
        extra = row.extra | dict(grades.parts if grades else {})
        return self.ladder.add(
            row.name, **_figures(grades, "score", "error"), validation=row.validation,
            validation_error=row.validation_error, seconds=row.seconds, role="ours", **extra,
        )  # fmt: skip

    def _role_scores(self) -> dict[str, float | None]:
        rows = {role: self.ladder.by_role(role) for role in ROLES}
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
            "cells": [asdict(cost) for cost in self._costs.rows()],
            "seed": self.seed,
            "versions": runtime.versions(*_PACKAGES),
            "submission_sha256": checksum,
        }

    def _verdict(self, grades: Grades | None, results: dict[str, object]) -> str:
        if grades is None:
            facts = self.competition
            scores = {"baseline": facts.baseline, "published": facts.published, "best": facts.best}
            listed = ", ".join(f"{name} {score:.2f}" for name, score in scores.items() if score is not None)
            return f"the answers are not known here; on the leaderboard: {listed}"
        share = results["recovered"]
        return f"{grades}" + (f"; {share:.0%} of the headroom recovered" if isinstance(share, float) else "")


def _figures(grades: Grades | None, score: str, error: str) -> dict[str, Any]:
    """Return the score and its standard error under two names; nothing without grades."""
    return {} if grades is None else {score: grades.score, error: grades.error}


def _out_of_reach(error: BaseException | None) -> BaseException | None:
    """Return the error that names what this machine lacks; None if the code or a parameter is wrong."""
    if isinstance(error, NeoaiError):  # NeoaiError itself: the cache cannot be written
        return error if isinstance(error, AssetError) or type(error) is NeoaiError else None
    if isinstance(error, ImportError):
        return None if (error.name or "").startswith("neoai_utils") else error
    network = sys.modules.get("httpx")  # the hub's client; its errors are no subclass of OSError
    if isinstance(error, OSError) or (network is not None and isinstance(error, network.HTTPError)):
        return error
    # packages with lazy imports wrap the errors of their submodules
    return _out_of_reach(error.__cause__) if isinstance(error, RuntimeError) else None


def open_workspace(
    task: str | int,
    data_dir: str | Path = "",
    out_dir: str | Path = "",
    *,
    seed: int = 42,
    miniature_seed: int = 0,
    **constants: Any,
) -> Workspace:
    """Find the competition's files, else build the miniature, and make the output folder.

    Args:
        task: "task1" … "task8" or the number.
        data_dir: folder with the competition's files; empty: search the folders of Kaggle and Colab, then build.
        out_dir: folder for the outputs; empty: `/kaggle/working` on Kaggle, else `outputs/<task>` here.
        seed: the notebook's seed, recorded in `results.json`.
        miniature_seed: seed of the miniature.
        constants: of the miniature's recipe, where they differ from its defaults.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: `data_dir` lacks one of the competition's files; the message names it and lists the folder.
        ParameterError: the miniature's seed is negative.
        NeoaiError: the output folder or the cache is not writable, or this copy of the library lacks the task.
    """
    competition = competitions.find(task)
    runtime.quiet_libraries()
    out = storage.make_folder(Path(out_dir).expanduser() if out_dir else _default_out(competition))
    folder = _find_data(competition, data_dir)
    if folder is not None:
        return Workspace(competition, "competition", folder, out, seed)
    if runtime.host() != "local":
        miniature_of(competition)  # raises where this copy of the library has none
        reason = discovery.not_found_message(competition.slug, files_of(competition).REQUIRED)
        print(
            f"NO COMPETITION FILES FOUND: {reason} "
            f"This run plays the MINIATURE, and its {SUBMISSION} is no entry to the competition."
        )
    runtime.fix_threads(MINIATURE_THREADS)  # scores are compared with stored ones
    folder = build_miniature(competition.task, miniature_seed, **constants)
    facts = json.loads((folder / "answers" / "facts.json").read_text(encoding="utf-8"))
    return Workspace(
        competition, "miniature", folder / "data", out, seed, folder / "answers", facts["ceiling"]
    )  # fmt: skip


def _default_out(competition: Competition) -> Path:
    return runtime.kaggle_folder("working") if runtime.host() == "kaggle" else Path("outputs") / competition.task


def _find_data(competition: Competition, data_dir: str | Path) -> Path | None:
    """Return the folder of the competition's files; None if no `data_dir` is given and the host has none."""
    required = files_of(competition).REQUIRED
    if not data_dir:
        return discovery.find(competition.slug, required)
    folder = Path(data_dir).expanduser()
    tops = {name.split("/")[0] for name in required if "/" in name}
    if folder.name in tops and not (folder / folder.name).exists():
        folder = folder.parent  # `data_dir` names a folder inside the archive
    holder = discovery.find_below(folder, required)
    require_paths(holder or folder, required)
    return holder


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
    files = files_of(COMPETITIONS[task])
    frame = files.parse_submission(submission)
    try:
        frame = files.check_submission(frame, miniature / "data")
    except SubmissionError as error:
        raise SubmissionError(f"{submission}: {error}") from error
    return files.grade(frame, miniature / "answers")
