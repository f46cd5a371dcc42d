"""One's own attempts at a task: graded, kept in a file, and shown beside the known solutions."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import storage
from neoai_utils.errors import DataError, ParameterError
from neoai_utils.scores import recovered, with_error

if TYPE_CHECKING:
    import pandas as pd

    from neoai_utils.workspace import Workspace

__all__ = ["FILE", "Attempts"]

FILE = "attempts.csv"
"""Name of the file of attempts."""

_COLUMNS = ("attempt", "score", "error")


class Attempts:
    """Grades attempts at an open task and keeps them in `attempts.csv`."""

    def __init__(self, workspace: Workspace, known: Mapping[str, float], folder: str | Path = ".") -> None:
        """Read the attempts of earlier sessions.

        Args:
            workspace: the task, opened on a miniature.
            known: score of each known solution, such as "baseline" and "ceiling".
            folder: of the file.

        Raises:
            DataError: the file is there and is no table of attempts.
        """
        self._workspace, self._known, self._path = workspace, dict(known), Path(folder) / FILE
        self._rows = _read(self._path)

    def add(self, name: str, submission: pd.DataFrame) -> pd.DataFrame:
        """Grade a submission, keep its score, and return the table of all attempts.

        Args:
            name: the idea in a few words. An attempt of the same name is replaced.
            submission: as the competition wants it.

        Raises:
            SubmissionError: the submission does not have the competition's form; nothing is kept.
            ParameterError: the name is that of a known solution, or the answers are not known, as the workspace holds
                the competition's own files.
        """
        if name in self._known:
            raise ParameterError(f"{name!r} is a known solution; give your attempt another name.")
        grades = self._workspace.grade(submission)
        if grades is None:
            raise ParameterError(
                "the answers to the competition's own files are not known here. Practise on the miniature: leave "
                "data_dir empty, on Kaggle without the competition's data."
            )
        self._rows[name] = (grades.score, grades.error)
        with storage.atomic_path(self._path) as temporary:
            temporary.write_text(_written(self._rows), encoding="utf-8", newline="")
        print(f"{name}: {grades}")
        return self.table()

    def table(self) -> pd.DataFrame:
        """Return known solutions and attempts, the best first, with the share of the headroom that each recovers."""
        import pandas as pd

        facts = self._workspace.competition
        scores: list[tuple[str, float, float | None, str]]
        scores = [(name, score, None, "known") for name, score in self._known.items()]
        scores += [(name, score, error, "yours") for name, (score, error) in self._rows.items()]
        lines = []
        for name, score, error, whose in scores:
            share = recovered(score, self._known.get("baseline"), self._known.get("ceiling"))
            text = "" if share is None else f"{share:.0%}"
            lines.append((name, score, with_error(score, error), text, whose))
        lines.sort(key=lambda line: line[1], reverse=facts.higher_is_better)
        frame = pd.DataFrame(lines, columns=["attempt", "value", facts.metric, "recovered", "whose"])
        return frame.drop(columns="value").set_index("attempt")


def _read(path: Path) -> dict[str, tuple[float, float | None]]:
    """Return name -> (score, error) of the kept attempts; empty without a file."""
    if not path.is_file():
        return {}
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        return {row["attempt"]: (float(row["score"]), float(row["error"]) if row["error"] else None) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is no table of attempts with the columns {', '.join(_COLUMNS)}. Move it away, then run this again."
        ) from error


def _written(rows: Mapping[str, tuple[float, float | None]]) -> str:
    """Return the file's text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((name, score, "" if error is None else error) for name, (score, error) in rows.items())
    return text.getvalue()
