"""The stored notebooks as data: clean, small, executed in order, and made of cells a reader can hold in mind."""

from __future__ import annotations

import ast
import re
import statistics
from pathlib import Path

import nbformat
import pytest
from papermill import inspect_notebook

from neoai_utils.commands import exercises, report, repository
from neoai_utils.competitions import COMPETITIONS

FOLDER = Path(__file__).resolve().parent.parent.parent / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
ABSOLUTE = re.compile(r"(?<![\w.:/])(/(?:home|root|tmp|Users|mnt|opt|work)/\S+|[A-Z]:\\\S+)")
LADDER = "play every row; None: only where answers are known"
BEGINNING = ["Parameters", "The problem", "The data"]
END = ["The choice", "The submission", "What the numbers say", "Try this", "References"]
GLOSSARY = "/blob/main/notebooks/glossary.md)"
WIDEST = 88  # characters of a code line, so that no page scrolls sideways
NOT_PROSE = re.compile(
    r"(?s:```.*?```|<!--.*?-->|<details>.*?</details>)|^ *\|.*$|^#.*$|^\[!\[.*$"
    r"|^\*\*(?:Cost:|At the competition's size)\*\*.*$",
    re.MULTILINE,
)
SENTENCE = re.compile(r"(?<=[.!?:;])[\"*)]*\s+|\n\s*\n|\n\s*(?:[-*]|\d+\.)\s")
TURNS = re.compile(
    r"cannot be had|is wanted|shall |the great step|at a stroke|worth its|in its own right|of all things|to be sure|"
    r"let go|by themselves|stands? ready|comes? into its own|needless to say|it goes without saying|as it were",
    re.IGNORECASE,
)
"""Phrases that learners of English have to read twice."""
NOISE = re.compile(r"0x[0-9a-f]{8,}|\bit/s\b|\bs/it\b|\d{4}-\d\d-\d\d \d\d:\d\d")


@pytest.fixture(params=BOOKS, ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    found = nbformat.read(request.param, as_version=4)
    nbformat.validate(found)
    found.metadata["name"] = request.param.stem
    return found


def cells(book: nbformat.NotebookNode, kind: str) -> list:
    return [cell for cell in book.cells if cell.cell_type == kind and cell.source.strip()]


def outputs(book: nbformat.NotebookNode) -> list:
    return [output for cell in cells(book, "code") for output in cell.outputs]


def lines(cell) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def test_each_task_has_a_notebook() -> None:
    assert {path.stem for path in BOOKS} == set(COMPETITIONS)


def test_cells_are_short_and_prose_is_not(book) -> None:
    sizes = sorted(lines(cell) for cell in cells(book, "code"))
    words = sum(len(cell.source.split()) for cell in cells(book, "markdown"))
    assert statistics.median(sizes) <= 6
    assert sizes[int(0.9 * (len(sizes) - 1))] <= 15
    assert sizes[-1] <= 40
    assert len(cells(book, "markdown")) >= len(sizes)
    assert words >= 50 * len(sizes)


def sentences(book: nbformat.NotebookNode) -> list[str]:
    """Return the sentences of a notebook's prose, without its last section, the references."""
    text = "\n\n".join(cell.source for cell in cells(book, "markdown")).partition("\n## References")[0]
    parts = (" ".join(part.split()) for part in SENTENCE.split(NOT_PROSE.sub("\n\n", text)))
    return [part for part in parts if part]


def test_sentences_are_short_and_plain(book) -> None:
    found = sentences(book)
    counts = {sentence: len(sentence.split()) for sentence in found}
    assert not [sentence for sentence, count in counts.items() if count > 40]
    assert statistics.median(counts.values()) <= 18
    assert not [sentence for sentence in found if TURNS.search(sentence)]


def test_the_amount_of_prose_is_what_one_reads(book) -> None:
    words = sum(len(NOT_PROSE.sub("", cell.source).split()) for cell in cells(book, "markdown"))
    assert 50 <= words / len(cells(book, "code")) <= 110


def test_the_glossary_is_linked(book) -> None:
    assert f"[glossary]({repository.address()}{GLOSSARY}" in "".join(cell.source for cell in cells(book, "markdown"))


def test_three_exercises_can_be_played(book) -> None:
    """Each change fits the notebook, and if it was played, the table holds what the notebook prints now."""
    path = FOLDER / f"{book.metadata['name']}.ipynb"
    found = exercises.read(book)
    assert len(found) == 3
    text = next(cell.source for cell in reversed(cells(book, "markdown")) if "Try this" in cell.source)
    tables = re.findall(r"<details><summary>What we saw</summary>(.+?)</details>", text, re.DOTALL)
    for exercise in found:
        exercises.changed(book, exercise, path)
    for exercise, shown in zip(found, tables, strict=True) if tables else ():
        rows = [line.strip(" |").split(" | ") for line in shown.strip().splitlines()[2:]]
        assert [row for row, _, _ in rows] == list(exercise.rows)
        stored = [report.handed_in(book) if row == "ours" else report.row_figure(row, book) for row in exercise.rows]
        assert [before for _, before, _ in rows] == stored
        assert all(re.match(r"(score|validation) \d", before) for before in stored)


def test_code_lines_fit_a_page(book) -> None:
    assert not [line for cell in cells(book, "code") for line in cell.source.splitlines() if len(line) > WIDEST]


def test_executed_in_order_without_errors_or_warnings(book) -> None:
    code = cells(book, "code")
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [o for o in outputs(book) if o.output_type == "error" or o.get("name") == "stderr"]


def test_outputs_are_small_and_the_same_everywhere(book) -> None:
    plain, figures = 0, 0
    for output in outputs(book):
        for kind, value in {**output.get("data", {}), "stream": output.get("text", "")}.items():
            if kind.startswith("image/"):
                figures += len(value)
            else:
                plain += len(str(value))
                assert not NOISE.search(str(value)), value
                assert not ABSOLUTE.search(str(value)), value
    assert plain < 200_000
    assert figures < 2_500_000


def test_code_is_a_story_not_a_library(book) -> None:
    source = "\n".join(cell.source for cell in cells(book, "code"))
    assert not re.search(r"^\s*class \w", source, re.MULTILINE)
    assert len(re.findall(r"^def \w", source, re.MULTILINE)) <= 3
    assert not ABSOLUTE.search(source.replace("/kaggle/", ""))
    assert not re.search(r"^\s*[!%]\s*pip|trust_remote_code\s*=\s*True", source, re.MULTILINE)


def test_no_cell_takes_a_name_away_from_an_import(book) -> None:
    """A cell that assigns to an imported function's name breaks the cells before it when they are run again."""
    trees = [ast.parse(re.sub(r"^[%!].*$", "", cell.source, flags=re.M)) for cell in cells(book, "code")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {
        (alias.asname or alias.name).partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assigned = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert not imported & (assigned | defined)


def test_the_sections_follow_the_template(book) -> None:
    text = "\n".join(cell.source for cell in cells(book, "markdown"))
    titles = re.findall(r"^## (?:(\d+)\. )?(.+)$", text, re.MULTILINE)
    names = [name for _, name in titles]
    assert (names[:3], names[-5:]) == (BEGINNING, END)
    assert "baseline" in names[3]
    numbers = [number for number, _ in titles]
    assert numbers == ["", *map(str, range(1, len(titles) - 1)), ""]


def test_every_parameter_is_typed_and_explained(book) -> None:
    found = inspect_notebook(FOLDER / f"{book.metadata['name']}.ipynb")
    names = list(found)
    assert names[:5] == ["data_dir", "out_dir", "seed", "miniature_seed", "ladder"]
    assert (found["ladder"]["inferred_type_name"], found["ladder"]["default"]) == ("bool", "None")
    assert found["ladder"]["help"] == LADDER
    for parameter in found.values():
        assert parameter["inferred_type_name"] in ("int", "float", "str", "bool"), parameter
        assert len(parameter["help"]) >= 10, parameter
    tagged = next(c for c in book.cells if "parameters" in c.metadata.get("tags", []))
    declared = [node.target.id for node in ast.parse(tagged.source).body if isinstance(node, ast.AnnAssign)]
    assert names == declared  # papermill reads one parameter a line; a longer one would be lost in silence


def test_the_guard_follows_the_parameters(book) -> None:
    code = cells(book, "code")
    place = next(i for i, c in enumerate(code) if "parameters" in c.metadata.get("tags", []))
    assert place == 0
    assert "parameters.check(globals()" in code[1].source
    assert repository.without_getting(code[1].source).startswith(repository.GUARD)


def test_the_title_carries_badges_and_cost(book) -> None:
    title = book.cells[0].source
    assert title.startswith("# ")
    assert f"{book.metadata['name']}.ipynb" in title
    assert "kaggle.com/kernels/welcome" in title
    assert "colab.research.google.com" in title
    assert re.search(r"<!-- cost -->\n.+min.+\n<!-- /cost -->", title)


def test_badges_open_this_very_notebook(book) -> None:
    """One badge for each host, the address of `pyproject.toml` in all notebooks, and the notebook's own file."""
    place = repository.address().removeprefix("https://github.com/")
    file = f"{place}/blob/main/notebooks/{book.metadata['name']}.ipynb"
    badges = re.findall(r"\[!\[(.+?)\]\((\S+?)\)\]\((\S+?)\)", book.cells[0].source)
    assert badges == [
        (
            "Open in Kaggle",
            "https://kaggle.com/static/images/open-in-kaggle.svg",
            f"https://kaggle.com/kernels/welcome?src=https://github.com/{file}",
        ),
        (
            "Open in Colab",
            "https://colab.research.google.com/assets/colab-badge.svg",
            f"https://colab.research.google.com/github/{file}",
        ),
    ]


def test_the_kernel_is_the_plain_one(book) -> None:
    assert book.metadata.kernelspec.name == "python3"
