"""Rank the submissions of a class: a table, a CSV file and a page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neoai_utils import storage, workspace
from neoai_utils.commands import gallery
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import NeoaiError
from neoai_utils.scores import Grades

__all__ = ["CSV", "PAGE", "Ranking", "rank", "write"]

CSV, PAGE = "ranking.csv", "ranking.html"
"""Names of the two files."""


@dataclass(frozen=True)
class Ranking:
    """Graded submissions.

    Attributes:
        task: "task1" … "task8".
        grades: file -> its grades, the best first.
        refused: file -> why it cannot be graded.
    """

    task: str
    grades: dict[str, Grades]
    refused: dict[str, str]

    def places(self) -> dict[str, int]:
        """Return file -> place; equal scores share the better one."""
        scores = [grades.score for grades in self.grades.values()]
        return {name: scores.index(grades.score) + 1 for name, grades in self.grades.items()}


def rank(task: str, submissions: Sequence[Path], miniature: Path) -> Ranking:
    """Grade submissions; one that cannot be graded does not stop the others.

    Args:
        task: "task1" … "task8".
        submissions: the files.
        miniature: the folder that `build_miniature` returned.
    """
    grades: dict[str, Grades] = {}
    refused = {}
    for path in submissions:
        try:
            grades[str(path)] = workspace.grade_file(task, path, miniature)
        except NeoaiError as error:
            refused[str(path)] = str(error).removeprefix(str(path)).lstrip(": ")
    sign = -1 if COMPETITIONS[task].higher_is_better else 1
    return Ranking(task, dict(sorted(grades.items(), key=lambda item: sign * item[1].score)), refused)


def write(ranking: Ranking, folder: Path) -> Path:
    """Write `ranking.csv` and `ranking.html`; return the page.

    Raises:
        NeoaiError: the folder cannot be written.
    """
    import pandas as pd

    places = ranking.places()
    lines = [
        {"place": places[name], "submission": name, "score": grades.score, "error": grades.error, **grades.parts}
        for name, grades in ranking.grades.items()
    ]
    lines += [{"submission": name, "refused": reason} for name, reason in ranking.refused.items()]
    storage.make_folder(folder)
    with storage.atomic_path(folder / CSV) as temporary:
        pd.DataFrame(lines).astype({"place": "Int64"} if ranking.grades else {}).to_csv(temporary, index=False)
    page = gallery.environment().get_template("ranking.html.j2")
    with storage.atomic_path(folder / PAGE) as temporary:
        text = page.render(ranking=ranking, places=places, facts=COMPETITIONS[ranking.task])
        temporary.write_text(text, encoding="utf-8")
    return folder / PAGE
