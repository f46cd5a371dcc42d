"""Grades with their standard errors, the recovered headroom, and the ladder: one row per idea."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ROLES", "Grades", "Ladder", "Role", "Row", "bootstrap", "recovered", "with_error"]

Role = Literal["baseline", "published", "ours"]
ROLES: tuple[Role, ...] = get_args(Role)
_DRAWS = 100  # of the bootstrap; the error itself is then known to about 7 %


def bootstrap(score_of: Callable[[NDArray[np.int64]], float], items: int) -> NDArray[np.float64]:
    """Return a score on a hundred draws of the items, for its standard error (Efron 1979).

    The items are drawn again with replacement. The draws are the same in every call, so that two submissions for the
    same items see the same draws and their difference has an error of its own (`choice.compare`).

    Args:
        score_of: the score of a draw, given how often each item was drawn, (items,) int64. These numbers are weights
            for metrics that take weights, and repetitions (`np.repeat`) for others.
        items: their number, for example of the test texts.

    Returns:
        (100,) float64. Their standard deviation is one standard error of the score.
    """
    import numpy as np

    draws = np.random.default_rng(0).multinomial(items, np.full(items, 1 / items), size=_DRAWS)
    return np.array([score_of(counts) for counts in draws], dtype=np.float64)


def recovered(score: float | None, baseline: float | None, ceiling: float | None) -> float | None:
    """Return the recovered headroom (score - baseline) / (ceiling - baseline).

    0 is the organisers' baseline, 1 the oracle. The formula also holds for errors, where lower is better. None if an
    argument is None or baseline and ceiling are equal.
    """
    if score is None or baseline is None or ceiling is None or ceiling == baseline:
        return None
    return (score - baseline) / (ceiling - baseline) + 0.0  # no negative zero


@dataclass(frozen=True)
class Grades:
    """The result of grading a submission.

    Attributes:
        score: the competition's metric.
        parts: components of the score and further metrics, name -> value.
        draws: (100,) float64, the score on the draws of `bootstrap`; None if they were not computed.
    """

    score: float
    parts: Mapping[str, float] = field(default_factory=dict)
    draws: NDArray[np.float64] | None = field(default=None, compare=False, repr=False)

    @property
    def error(self) -> float | None:
        """Return one standard error of the score; None without draws."""
        return None if self.draws is None else float(self.draws.std(ddof=1))

    def __str__(self) -> str:
        """Return all figures in one line, with three decimals."""
        parts = (f"{name} {value:.3f}" for name, value in self.parts.items())
        return ", ".join([f"score {with_error(self.score, self.error)}", *parts])


def with_error(value: float, error: float | None) -> str:
    """Return a figure with three decimals, and its standard error if there is one: "0.804 ± 0.008"."""
    return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")


@dataclass(frozen=True)
class Row:
    """One idea of the ladder.

    Attributes:
        name: the idea in a few words.
        score: the competition's metric on the hidden answers; None without answers.
        validation: the metric on labelled data of the competition; None if it was not measured.
        seconds: time that the idea took; None if it was not measured.
        role: "baseline" (the organisers'), "published" (the published solution), "ours" (the final recipe), or None.
        extra: further metrics, name -> value.
        error: one standard error of the score; None if it is not known.
        validation_error: one standard error of the validation; None if it is not known.
    """

    name: str
    score: float | None = None
    validation: float | None = None
    seconds: float | None = None
    role: Role | None = None
    extra: dict[str, float] = field(default_factory=dict)
    error: float | None = None
    validation_error: float | None = None


class Ladder:
    """The rows of a notebook in order; Jupyter displays them as a table."""

    def __init__(self, metric: str, higher_is_better: bool) -> None:
        """Create an empty ladder.

        Args:
            metric: name of the competition's metric.
            higher_is_better: its direction.
        """
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
        error: float | None = None,
        validation_error: float | None = None,
        **extra: float,
    ) -> Row:
        """Append a row and return it; the fields are those of `Row`.

        A row with the same name or the same role is removed, so that a cell that runs twice adds one row.
        """
        errors = {"error": _plain(error), "validation_error": _plain(validation_error)}
        row = Row(name, _plain(score), _plain(validation), _plain(seconds), role, extra, **errors)
        others = [other for other in self.rows if other.name != name and (role is None or other.role != role)]
        self.rows = [*others, row]
        return row

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows."""
        return iter(self.rows)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def by_role(self, role: Role) -> Row | None:
        """Return the row with this role; None if there is none."""
        return next((row for row in self.rows if row.role == role), None)

    def frame(self) -> pd.DataFrame:
        """Return the rows as a table without the columns that are None in every row."""
        import pandas as pd

        records = [asdict(row) | row.extra for row in self.rows]
        table = pd.DataFrame(records).drop(columns="extra", errors="ignore")
        return table.dropna(axis="columns", how="all")

    def _repr_html_(self) -> str:
        """Return the table as HTML: three decimals, empty cells for None, the role beside the name."""
        if not self.rows:
            return "<p>(no rows yet)</p>"
        table = self.frame()
        better = "higher" if self.higher_is_better else "lower"
        columns = [c for c in table.columns if c not in ("role", *_ERRORS.values())]
        head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
        lines = [
            f"<table><caption>{html.escape(self.metric)} ({better} is better)</caption>",
            f"<thead><tr>{head}</tr></thead><tbody>",
        ]
        for record, row in zip(table.to_dict("records"), self.rows, strict=True):
            strong = ' style="font-weight:bold"' if row.role else ""
            cells = "".join(f"<td>{_cell(c, record[c], row)}</td>" for c in columns)
            lines.append(f"<tr{strong}>{cells}</tr>")
        return "\n".join([*lines, "</tbody></table>"])

    def __repr__(self) -> str:
        """Return the table as plain text."""
        return (
            self.frame().to_string(index=False, na_rep="", float_format="{:.3f}".format) if self.rows else "(no rows)"
        )


_ERRORS = {"score": "error", "validation": "validation_error"}


def _plain(value: float | None) -> float | None:
    """Turn a NumPy number into a float, so that it can be written as JSON."""
    return None if value is None else float(value)


def _cell(column: str, value: object, row: Row) -> str:
    """Return a cell's text."""
    if isinstance(value, str):
        return html.escape(value + (f" ({row.role})" if column == "name" and row.role else ""))
    if not isinstance(value, float) or math.isnan(value):
        return ""
    if column == "seconds":
        return f"{value:.1f}"
    return with_error(value, getattr(row, _ERRORS[column]) if column in _ERRORS else None)
