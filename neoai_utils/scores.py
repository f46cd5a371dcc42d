"""Scores on a common scale, and the ladder: one row per idea with its measured gain."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Grades", "Ladder", "Role", "Row", "recovered"]

Role = Literal["baseline", "published", "ours"]


def recovered(score: float | None, baseline: float | None, ceiling: float | None) -> float | None:
    """Return the recovered headroom (score - baseline) / (ceiling - baseline).

    0 is the organisers' baseline, 1 the oracle; works for errors (lower is better) as well. None when a part
    is unknown or the two ends coincide.
    """
    if score is None or baseline is None or ceiling is None or ceiling == baseline:
        return None
    return (score - baseline) / (ceiling - baseline)


@dataclass(frozen=True)
class Grades:
    """The result of grading a submission.

    Attributes:
        score: the competition's metric.
        parts: what it is made of and further metrics, name -> value.
    """

    score: float
    parts: Mapping[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        """Show all figures in one line, three decimals each."""
        return ", ".join(f"{name} {value:.3f}" for name, value in {"score": self.score, **self.parts}.items())


@dataclass(frozen=True)
class Row:
    """One idea of the ladder.

    Attributes:
        name: the idea in a few words.
        score: the competition's metric on the hidden answers; None where they are not known.
        validation: the metric on labelled data that the competition gives; None where there is none.
        seconds: the time that the idea took.
        role: whether the row is the organisers' baseline, the published solution or our final recipe.
        extra: further metrics, name -> value.
    """

    name: str
    score: float | None = None
    validation: float | None = None
    seconds: float | None = None
    role: Role | None = None
    extra: dict[str, float] = field(default_factory=dict)


class Ladder:
    """The rows of a notebook in order; shows itself as a table in Jupyter."""

    def __init__(self, metric: str, higher_is_better: bool) -> None:
        """Start an empty ladder for a metric."""
        self.metric = metric
        self.higher_is_better = higher_is_better
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        *,
        score: float | None = None,
        validation: float | None = None,
        seconds: float | None = None,
        role: Role | None = None,
        **extra: float,
    ) -> Row:
        """Append a row and return it. A row with the same name, or the same role, is replaced.

        So a cell that is run twice in a notebook does not double its row.
        """
        row = Row(name, _plain(score), _plain(validation), _plain(seconds), role, extra)
        kept = [r for r in self.rows if r.name != name and (role is None or r.role != role)]
        self.rows = [*kept, row]
        return row

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def by_role(self, role: Role) -> Row | None:
        """Return the row with this role, if there is one."""
        return next((row for row in self.rows if row.role == role), None)

    def frame(self) -> pd.DataFrame:
        """Return the rows as a table; columns that are unknown in every row are left out."""
        import pandas as pd

        records = [asdict(row) | row.extra for row in self.rows]
        table = pd.DataFrame(records).drop(columns="extra", errors="ignore")
        return table.dropna(axis="columns", how="all")

    def _repr_html_(self) -> str:
        """Show the table in a notebook: three decimals, no None, the role in words."""
        if not self.rows:
            return "<p>(no rows yet)</p>"
        table = self.frame()
        better = "higher" if self.higher_is_better else "lower"
        columns = [c for c in table.columns if c != "role"]
        head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
        lines = [
            f"<table><caption>{html.escape(self.metric)} ({better} is better)</caption>",
            f"<thead><tr>{head}</tr></thead><tbody>",
        ]
        for record, row in zip(table.to_dict("records"), self.rows, strict=True):
            strong = ' style="font-weight:bold"' if row.role else ""
            cells = "".join(f"<td>{_shown(c, record[c], row)}</td>" for c in columns)
            lines.append(f"<tr{strong}>{cells}</tr>")
        return "\n".join([*lines, "</tbody></table>"])

    def __repr__(self) -> str:
        """Show the table as plain text."""
        return (
            self.frame().to_string(index=False, na_rep="", float_format="{:.3f}".format) if self.rows else "(no rows)"
        )


def _plain(value: float | None) -> float | None:
    """Turn a NumPy number into a float, so that it can be written as JSON."""
    return None if value is None else float(value)


def _shown(column: str, value: object, row: Row) -> str:
    if isinstance(value, str):
        return html.escape(value + (f" ({row.role})" if column == "name" and row.role else ""))
    if not isinstance(value, float) or math.isnan(value):
        return ""
    return f"{value:.1f}" if column == "seconds" else f"{value:.3f}"
