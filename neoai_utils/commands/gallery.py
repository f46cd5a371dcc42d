"""The readable site: an index with the scores, and each story as one page that needs no network.

nbconvert turns a notebook into a fragment of HTML with the template in `templates/notebook`; Jinja sets the fragment
into a page. A page holds its pictures, its style and no script, so it can be opened from a disk, mailed, or put on any
server. Formulas become MathML (W3C, MathML Core), which browsers draw themselves.
"""

from __future__ import annotations

import ast
import inspect
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import nbformat
from bs4 import BeautifulSoup
from latex2mathml import converter
from markupsafe import Markup, escape
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from neoai_utils import competitions, errors, plotting, storage
from neoai_utils.commands import books, headless
from neoai_utils.competitions import Competition
from neoai_utils.errors import DataError, NeoaiError

__all__ = [
    "CODE_STYLES",
    "THUMBNAIL",
    "Figure",
    "Heading",
    "Story",
    "StoryExporter",
    "build",
    "describe_figures",
    "read_story",
]

CODE_STYLES = ("xcode", "monokai")  # colours of code by day and by night, each with enough contrast
THUMBNAIL = "nbsphinx-thumbnail"  # tag of the cell whose figure stands on a story's card

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_COLUMNS = ("baseline", "published", "ours", "ceiling", "recovered")
_KINDS = ("image/png", "image/jpeg")
_LONGEST = 300  # letters of a paragraph that an alternative text repeats


@dataclass(frozen=True)
class Heading:
    """A line of a page's table of contents."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A picture out of a notebook: PNG as base64, and what it shows in words."""

    png: str
    alt: str


@dataclass(frozen=True)
class Story:
    """What the pages say of one notebook.

    Attributes:
        facts: the competition.
        body: the notebook's cells as HTML.
        contents: headings below the title.
        problem: the task in a sentence, from the bold line under the title.
        cost: time and memory, from the line between the markers `<!-- cost -->`.
        scores: baseline, published, ours, ceiling and recovered; None where unknown.
        figure: the picture of its card; None if the notebook draws nothing.
        played: True for a run of the reader's, False for the notebook as stored.
    """

    facts: Competition
    body: Markup
    contents: tuple[Heading, ...]
    problem: str
    cost: str
    scores: Mapping[str, float | None]
    figure: Figure | None
    played: bool

    @property
    def page(self) -> str:
        """Return the name of its page."""
        return f"{self.facts.task}.html"

    @property
    def address(self) -> str:
        """Return the way from the index to its page."""
        return f"gallery/{self.page}"


class _Renderer(IPythonRenderer):  # type: ignore[misc]  # nbconvert has no types
    """Markdown to HTML with formulas as MathML; nbconvert leaves them to a script from the network."""

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<span class="formula scroll" tabindex="0">{_mathml(body, "block")}</span>'


def _mathml(latex: str, display: str) -> str:
    try:
        return str(converter.convert(latex, display=display))
    except Exception:  # the converter's errors have no base of their own; the source is readable too
        return f"<code>{escape(latex)}</code>"


class StoryExporter(HTMLExporter):  # type: ignore[misc]  # nbconvert has no types
    """nbconvert's exporter to a fragment of HTML: no scripts, no prompts, no requests."""

    def __init__(self) -> None:
        super().__init__(template_name="notebook", extra_template_basedirs=[str(_TEMPLATES)])

    @property
    def default_config(self) -> Any:
        """Return nbconvert's settings without what only a script could show (widgets, LaTeX)."""
        config = super().default_config
        config.NbConvertBase.display_data_priority = ["text/html", "text/markdown", *_KINDS, "text/plain"]
        return config

    @jinja2.pass_context
    def markdown2html(self, context: jinja2.runtime.Context, source: str) -> str:
        """Return the HTML of a Markdown cell."""
        attachments = context.get("cell", {}).get("attachments", {})
        renderer = _Renderer(escape=False, attachments=attachments, anchor_link_text=self.anchor_link_text)
        return str(MarkdownWithMath(renderer=renderer).render(source))


def _find_story(task: str, outputs: Path) -> tuple[Path, bool]:
    """Return the last run's notebook and True if that run succeeded, else the stored notebook and False."""
    played = outputs / task / f"{task}.ipynb"
    if played.is_file() and (played.parent / "results.json").is_file():
        return played, True
    return headless.find_notebook(task), False


def read_story(task: str, outputs: Path = Path("outputs")) -> Story:
    """Read a task's executed notebook and render it.

    Raises:
        UnknownTaskError: there is no such task.
        DataError: its notebook is not here or not readable.
    """
    facts = competitions.find(task)
    path, played = _find_story(facts.task, outputs)
    book = books.read(path)
    try:
        return _story(facts, book, played)
    except Exception as error:  # an output with unusual content; nbconvert has no error of its own for it
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path} cannot be shown ({reason}). Play task {facts.number} again.") from error


def _story(facts: Competition, book: nbformat.NotebookNode, played: bool) -> Story:
    """Render a notebook."""
    describe_figures(book)
    body, _ = StoryExporter().from_notebook_node(book)
    page = BeautifulSoup(body, "html.parser")
    _tidy(page)
    cost = re.search(r"<!-- cost -->\n(.*?) *(\(.*\))?\n<!-- /cost -->", book.cells[0].source if book.cells else "")
    return Story(
        facts=facts,
        body=Markup(str(page)),  # noqa: S704 - our stories; pages forbid scripts # nosec B704
        contents=tuple(Heading(int(h.name[1]), h["id"], h.get_text()) for h in page.select(".prose :is(h2, h3)")),
        problem=_problem(page),
        cost=cost[1] if cost else "",
        scores=headless.read_scores(book),
        figure=_telling_figure(book),
        played=played,
    )


def _tidy(page: BeautifulSoup) -> None:
    """Take out what would ask the network or lead nowhere; let tables of the text scroll in their own box."""
    for link in page.select("a.anchor-link"):
        link.decompose()
    for picture in page.select('img[src^="http"]'):
        if picture.parent is not None and picture.parent.name == "a":
            picture.parent["class"] = "badge"
        picture.replace_with(picture.get("alt", ""))
    for style in page.select("style"):  # pandas writes one into each table
        style.decompose()
    for table in page.select(".prose table"):
        table.wrap(page.new_tag("div", attrs={"class": "scroll", "tabindex": "0"}))


def _problem(page: BeautifulSoup) -> str:
    bold = page.select_one(".prose p > strong:first-child")
    if bold is None or bold.parent is None:
        return ""
    return " ".join(bold.parent.get_text().split()).removeprefix("The problem in one sentence. ")


def describe_figures(book: nbformat.NotebookNode) -> None:
    """Give every picture that has no alternative text one, in its output's metadata, from what the notebook says.

    That is the section's heading; for our shared figures the first sentence of their docstring; the labels of the axes;
    and where neither tells what is drawn, the paragraph above the cell.
    """
    heading, paragraph = "", ""
    for cell in book.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#+ .+$", cell.source, re.MULTILINE)
            heading = _plain(headings[-1]) if headings else heading
            last = re.split(r"\n\s*\n", cell.source.strip())[-1]
            paragraph = "" if last.startswith("#") else _plain(last)
        for output, kind in _pictures(cell):
            metadata = output.metadata.setdefault(kind, nbformat.NotebookNode())
            metadata.setdefault("alt", _describe(cell.source, heading, paragraph))


def _pictures(cell: nbformat.NotebookNode) -> Iterator[tuple[nbformat.NotebookNode, str]]:
    for output in cell.get("outputs", []):
        for kind in _KINDS:
            if kind in output.get("data", {}):
                yield output, kind


def _describe(code: str, heading: str, paragraph: str) -> str:
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except SyntaxError:  # IPython's own commands
        nodes = []
    names = [node.attr for node in nodes if isinstance(node, ast.Attribute) and node.attr in plotting.__all__]
    drawn = [_summary(getattr(plotting, name)) for name in names if callable(getattr(plotting, name))]
    labels = [label for node in nodes if isinstance(node, ast.Call) for label in _axis_labels(node)]
    axes = [f"Axes: {', '.join(dict.fromkeys(labels))}."] if labels else []
    told = [] if axes or "ladder_chart" in names else [textwrap.shorten(paragraph, _LONGEST, placeholder=" …")]
    return " ".join(filter(None, [f"Figure in “{heading}”.", *drawn, *axes, *told]))


def _summary(function: Callable[..., object]) -> str:
    """Return what a drawing function shows: "Draw images in a grid …" becomes "Images in a grid …"."""
    shown = (inspect.getdoc(function) or "").partition("\n")[0].removeprefix("Draw ")
    return shown[:1].upper() + shown[1:]


def _axis_labels(call: ast.Call) -> Iterator[str]:
    """Find the texts of `axes.set(xlabel="…")` and `axes.set_xlabel("…")`."""
    values = [keyword.value for keyword in call.keywords if keyword.arg in ("xlabel", "ylabel")]
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("set_xlabel", "set_ylabel"):
        values += call.args[:1]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def _plain(markdown: str) -> str:
    """Return the words of a piece of Markdown."""
    html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(markdown)
    return " ".join(BeautifulSoup(html, "html.parser").get_text().split())


def _telling_figure(book: nbformat.NotebookNode) -> Figure | None:
    """Return the picture of the cell tagged `nbsphinx-thumbnail` (nbsphinx's convention), else the last one."""
    tagged = [cell for cell in book.cells if THUMBNAIL in cell.metadata.get("tags", [])]
    for cells in (tagged, book.cells):
        found = [output for cell in cells for output, kind in _pictures(cell) if kind == "image/png"]
        if found:
            return Figure(found[-1].data["image/png"].replace("\n", ""), found[-1].metadata["image/png"]["alt"])
    return None


def build(outputs: Path = Path("outputs")) -> Path:
    """Write `index.html` and `gallery/taskN.html` into `outputs`; return the index.

    All pages are made in a temporary folder first and then renamed into their places, the index last, so that whoever
    looks meanwhile, or after an interruption, finds whole pages. A notebook that is not readable is left out with a
    warning.

    Raises:
        DataError: there is no notebook, or none is readable.
        NeoaiError: the folder is not writable or the disk is full.
    """
    stories = _readable(outputs)
    pages = _pages(stories)
    storage.make_folder(outputs / "gallery")
    try:
        with tempfile.TemporaryDirectory(prefix=".gallery.", suffix=".part", dir=outputs) as name:
            for number, text in enumerate(pages.values()):
                (Path(name) / str(number)).write_text(text, encoding="utf-8")
            for number, address in enumerate(pages):
                (Path(name) / str(number)).replace(outputs / address)
    except OSError as error:
        raise NeoaiError(f"cannot write the gallery in {outputs}: {error.strerror or error}.") from error
    return outputs / "index.html"


def _readable(outputs: Path) -> list[Story]:
    """Return the stories of all notebooks that can be shown."""
    stories, problem = [], DataError("no notebooks here: run this in the folder that holds notebooks/.")
    for task in headless.available():
        try:
            stories.append(read_story(task, outputs))
        except DataError as error:
            problem = error
            errors.warn(f"{error} Its page is left out.")
    if not stories:
        raise problem
    return stories


def _pages(stories: list[Story]) -> dict[str, str]:
    """Return address -> HTML of each story's page and, last, of the index."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"number": headless.number, "share": headless.share}
    environment.globals["style"] = Markup(_style())  # noqa: S704 - our own file # nosec B704
    story_page = environment.get_template("story.html.j2")
    pages = {}
    for story, before, after in zip(stories, [None, *stories[:-1]], [*stories[1:], None], strict=True):
        pages[story.address] = story_page.render(story=story, before=before, after=after)
    index = environment.get_template("index.html.j2").render(stories=stories, columns=_COLUMNS)
    return pages | {"index.html": index}


def _style() -> str:
    """Return the pages' CSS: ours and the colours of the code, by day and by night."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in CODE_STYLES)
    ours = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{ours}"
