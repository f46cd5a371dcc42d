"""Report runs: store executed notebooks, the README's table of scores, the overview figure, and number formats."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import storage
from neoai_utils.commands import notebooks, seeds
from neoai_utils.commands.imports import BASELINE_TAG, MINIATURE_TAG
from neoai_utils.commands.run import Run
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import NeoaiError
from neoai_utils.scores import recovered

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = [
    "draw_overview", "handed_in", "number", "read_scores", "row_figure", "scores_markdown", "share", "store",
    "update_scores", "update_section",
]  # fmt: skip

# the lines that `offline.packages` prints in the first run only
_DOWNLOADS = re.compile(r"^fetching \S+ \(\d+ MB, once\)\n", re.MULTILINE)
_TAGS = ("parameters", "nbsphinx-thumbnail", BASELINE_TAG, MINIATURE_TAG)  # those that mean something to us
_KINDS = ("score", "validation")  # readers can compare the first with their own
_FIGURE = r"^{row}{rest}: .*?\b({kind} \d+\.\d+(?: ± \d+\.\d+)?)"
_ROW = re.compile(r"^\| \[.*\]\((notebooks/task\d\.ipynb)\) \|.*$", re.MULTILINE)


def store(run: Run) -> Path:
    """Copy an executed notebook back to the notebooks folder, without what differs from run to run.

    papermill's and Jupyter's times and the notices of downloads are removed. The measured time and memory are written
    between the markers `<!-- cost -->`.

    Raises:
        NeoaiError: the run failed, or parameters were injected (the stored notebook must show the defaults).
    """
    import nbformat

    if run.results is None:
        raise NeoaiError(f"{run.task} failed, so it is not stored: {run.error}")
    book = notebooks.read(run.notebook)
    if any("injected-parameters" in cell.metadata.get("tags", []) for cell in book.cells):
        raise NeoaiError(f"{run.task} ran with other parameters than its defaults, so it is not stored.")
    book.metadata = nbformat.NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    cost = _cost(run)
    for number, cell in enumerate(book.cells):
        cell.id = f"cell-{number:02d}"
        tags = [t for t in cell.metadata.get("tags", []) if t in _TAGS]
        cell.metadata = nbformat.NotebookNode({"tags": tags} if tags else {})
        cell.source = update_section(cell.source, "cost", cost)
        if cell.cell_type == "code":
            cell.outputs = list(_without_notices(cell.outputs))
    target = notebooks.find_notebook(run.task)
    with storage.atomic_path(target) as temporary:
        nbformat.write(book, temporary)
    return target


def _without_notices(outputs: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Yield a cell's outputs without the notices of downloads and without ended lines of progress."""
    for output in outputs:
        if output.output_type == "stream":
            output.text = _DOWNLOADS.sub("", output.text)
        if output.get("text") != "" and output.get("data") != {"text/plain": ""}:
            yield output


def _cost(run: Run) -> str:
    memory = (run.results or {}).get("peak_memory_mb")
    text = f"**Cost:** about {max(1, round(run.seconds / 60))} min on {os.cpu_count()} CPU cores"
    return text + (f" · {memory / 1024:.1f} GB of memory" if memory else "") + " (measured by the last stored run)"


def update_section(text: str, name: str, content: str) -> str:
    """Replace the text between `<!-- name -->` and `<!-- /name -->`; without the markers nothing changes."""
    pattern = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(\n?<!-- /{re.escape(name)} -->)", re.DOTALL)
    return pattern.sub(lambda m: f"{m[1]}{content}\n{m[2].lstrip()}", text)


def read_scores(book: NotebookNode) -> dict[str, float | None]:
    """Return the scores that an executed notebook prints, from the table of `Workspace.summary`.

    Args:
        book: the notebook.

    Returns:
        "baseline", "published", "ours", "ceiling" and "recovered" (by ours), with three decimals; None where unknown.
    """
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    for output in reversed(outputs):
        text = output.get("data", {}).get("text/plain", "")
        if text.split()[:3] == ["score", "error", "recovered"]:
            rows = {name: [float(value) for value in values] for name, *values in map(str.split, text.splitlines()[1:])}
            scores = {name: values[0] for name, values in rows.items()} | {"recovered": rows["ours"][-1]}
            return {name: None if math.isnan(value) else value for name, value in scores.items()}
    return dict.fromkeys(("baseline", "published", "ours", "ceiling", "recovered"))


def row_figure(row: str, book: NotebookNode) -> str:
    """Return what an executed notebook printed for a row of its ladder, the score rather than the validation.

    A row of exactly this name comes before one whose name only begins so. Empty if neither was printed.
    """
    printed = "\n".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    for kind, rest in itertools.product(_KINDS, ("", ".*?")):
        pattern = _FIGURE.format(row=re.escape(row), rest=rest, kind=kind)
        if line := re.search(pattern, printed, re.MULTILINE):
            return line[1]
    return ""


def handed_in(book: NotebookNode) -> str:
    """Return the score of the row that an executed notebook handed in, in words as `row_figure`; empty if unknown."""
    score = read_scores(book)["ours"]
    return "" if score is None else f"score {score:.3f}"


def scores_markdown(runs: Iterable[Run], records: Mapping[str, seeds.Record] | None = None) -> str:
    """Return the README's score table of the runs that succeeded, as Markdown.

    Args:
        runs: on miniature 0.
        records: task -> its scores on several miniatures, as `seeds.read` returns them; their means are shown then.
    """
    head = "| task | metric | baseline | published | **ours** | ceiling | recovered | seconds | memory |"
    lines = [head, "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for run in runs:
        if run.results is None:
            continue
        facts, results = COMPETITIONS[run.task], run.results
        known = {role: [] if results[role] is None else [results[role]] for role in seeds.ROLES}
        cells = seeds.texts((records or {}).get(run.task, known))
        sign = "↑" if facts.higher_is_better else "↓"
        link = f"[{facts.number} · {facts.title}](notebooks/{run.task}.ipynb)"
        memory = results["peak_memory_mb"]
        lines.append(
            f"| {link} | {facts.metric} {sign} | {cells['baseline']} | {cells['published']} "
            f"| **{cells['ours']}** | {cells['ceiling']} | {cells['recovered']} "
            f"| {run.seconds:.0f} | {f'{memory / 1024:.1f} GB' if memory else '–'} |"
        )
    return "\n".join(lines)


def update_scores(text: str, runs: Iterable[Run], records: Mapping[str, seeds.Record] | None = None) -> str:
    """Rewrite the README's rows of the runs that succeeded; the rows of other tasks are kept.

    Args:
        text: of the README.
        runs: as for `scores_markdown`.
        records: as for `scores_markdown`.
    """
    table = scores_markdown(runs, records)
    rows = {match[1]: match[0] for match in [*_ROW.finditer(text), *_ROW.finditer(table)]}
    return update_section(text, "scores", "\n".join([*table.splitlines()[:2], *(rows[name] for name in sorted(rows))]))


def draw_overview(target: Path) -> None:
    """Draw the headroom that the published solution and ours recover in each stored notebook; write a PNG file."""
    from neoai_utils import plotting

    shares = {}
    for task in notebooks.available():
        facts, scores = COMPETITIONS[task], read_scores(notebooks.read(notebooks.find_notebook(task)))
        published = recovered(scores["published"], scores["baseline"], scores["ceiling"])
        shares[f"{facts.number} · {facts.title}"] = (published, scores["recovered"])
    plotting.use_style()
    with storage.atomic_path(target) as temporary:
        plotting.headroom_chart(shares).savefig(temporary, format="png", metadata={"Software": None})


def number(value: float | None) -> str:
    """Return a score with three decimals, an unknown one as a dash."""
    return "–" if value is None else f"{value:.3f}"


def share(value: float | None) -> str:
    """Return a share as per cent, an unknown one as a dash."""
    return "–" if value is None else f"{value:.0%}"
