"""The gallery: an index with the scores, and one page for each notebook and note that needs no network.

nbconvert turns a notebook into a fragment of HTML with the template in `templates/notebook`; Jinja inserts the fragment
into a page. A page holds its figures and its style and no script, so it can be opened from a disk, mailed, or served by
any server. Formulas become MathML (W3C, MathML Core), which browsers render without a script.
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

from neoai_utils import errors, plotting, storage
from neoai_utils.commands import notebooks, report
from neoai_utils.competitions import COMPETITIONS, Competition
from neoai_utils.errors import DataError, NeoaiError
from neoai_utils.workspace import RESULTS

__all__ = [
    "CODE_STYLES",
    "THUMBNAIL",
    "Figure",
    "Heading",
    "Story",
    "StoryExporter",
    "build",
    "describe_figures",
    "environment",
    "read_story",
]

CODE_STYLES = ("xcode", "monokai")  # colours of code in light and dark mode, each with enough contrast
THUMBNAIL = "nbsphinx-thumbnail"  # tag of the cell whose figure is shown on a story's card

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_COLUMNS = ("baseline", "published", "ours", "ceiling", "recovered")
_KINDS = ("image/png", "image/jpeg")
_NOTE = re.compile(r"^(?:\S*/notebooks/)?(\w+)\.md(#\S*)?$")  # a link to a note beside the notebooks
_MAX_CHARACTERS = 300  # of a paragraph that an alternative text repeats


@dataclass(frozen=True)
class Heading:
    """A line of a page's table of contents.

    Attributes:
        level: 2 for a section, 3 for a subsection.
        anchor: the heading's id in the page.
        text: the heading without markup.
    """

    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Figure:
    """A figure of a notebook.

    Attributes:
        png: the PNG file as base64.
        alt: the alternative text, which says in words what the figure shows.
    """

    png: str
    alt: str


@dataclass(frozen=True)
class Story:
    """What the pages show of one notebook.

    Attributes:
        facts: the competition.
        body: the notebook's cells as HTML.
        contents: headings below the title.
        problem: the task in a sentence, from the bold line under the title.
        cost: time and memory, from the line between the markers `<!-- cost -->`.
        scores: baseline, published, ours, ceiling and recovered; None where unknown.
        figure: the figure of its card; None if the notebook draws nothing.
        from_run: True for the reader's last run, False for the stored notebook.
    """

    facts: Competition
    body: Markup
    contents: tuple[Heading, ...]
    problem: str
    cost: str
    scores: Mapping[str, float | None]
    figure: Figure | None
    from_run: bool

    @property
    def page(self) -> str:
        """Return the name of its page."""
        return f"{self.facts.task}.html"

    @property
    def address(self) -> str:
        """Return the address of its page, relative to the index."""
        return f"gallery/{self.page}"


class _Renderer(IPythonRenderer):  # type: ignore[misc]  # nbconvert has no types
    """Markdown to HTML with formulas as MathML; nbconvert would load a script from the network for them."""

    def inline_math(self, body: str) -> str:
        return _mathml(body, "inline")

    def block_math(self, body: str) -> str:
        return f'<span class="formula scroll" tabindex="0">{_mathml(body, "block")}</span>'


def _mathml(latex: str, display: str) -> str:
    try:
        return str(converter.convert(latex, display=display))
    except Exception:  # the converter's errors have no common base; the source is readable too
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
    executed = outputs / task / f"{task}.ipynb"
    if executed.is_file() and (executed.parent / RESULTS).is_file():
        return executed, True
    return notebooks.find_notebook(task), False


def read_story(task: str, outputs: Path = Path("outputs")) -> Story:
    """Read a task's executed notebook and render it.

    Args:
        task: "task1" … "task8".
        outputs: the folder of the reader's runs.

    Raises:
        DataError: the notebook is missing or not readable.
    """
    facts = COMPETITIONS[task]
    path, from_run = _find_story(task, outputs)
    book = notebooks.read(path)
    try:
        return _story(facts, book, from_run)
    except Exception as error:  # an output with unusual content, for which nbconvert has no common error
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DataError(f"{path} cannot be shown ({reason}). Run task {facts.number} again.") from error


def _story(facts: Competition, book: nbformat.NotebookNode, from_run: bool) -> Story:
    """Render a notebook."""
    describe_figures(book)
    body, _ = StoryExporter().from_notebook_node(book)
    page = BeautifulSoup(body, "html.parser")
    _tidy(page)
    cost = re.search(
        r"<!-- cost -->\n\*\*Cost:\*\* (.*?) *(\(.*\))?\n<!-- /cost -->", book.cells[0].source if book.cells else ""
    )
    return Story(
        facts=facts,
        body=Markup(str(page)),  # noqa: S704 - our stories; pages forbid scripts # nosec B704
        contents=tuple(Heading(int(h.name[1]), h["id"], h.get_text()) for h in page.select(".prose :is(h2, h3)")),
        problem=_problem(page),
        cost=cost[1] if cost else "",
        scores=report.read_scores(book),
        figure=_card_figure(book),
        from_run=from_run,
    )


def _tidy(page: BeautifulSoup) -> None:
    """Remove anchors and remote images, link to the pages of notes, and let tables of the text scroll in a box."""
    for link in page.select("a.anchor-link"):
        link.decompose()
    for link in page.select("a[href]"):
        link["href"] = _NOTE.sub(r"\1.html\2", str(link["href"]))
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
    """Write an alternative text into the metadata of every figure that has none.

    The text holds the section's heading, for a function of `plotting` the first sentence of its docstring, the labels
    of the axes, and where there is neither of the latter two the paragraph above the cell.
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
    text = "" if axes or "ladder_chart" in names else textwrap.shorten(paragraph, _MAX_CHARACTERS, placeholder=" …")
    return " ".join(filter(None, [f"Figure in “{heading}”.", *drawn, *axes, text]))


def _summary(function: Callable[..., object]) -> str:
    """Return what a plotting function draws: "Draw images in a grid …" becomes "Images in a grid …"."""
    shown = (inspect.getdoc(function) or "").partition("\n")[0].removeprefix("Draw ")
    return shown[:1].upper() + shown[1:]


def _axis_labels(call: ast.Call) -> Iterator[str]:
    """Yield the texts of `axes.set(xlabel="…")` and `axes.set_xlabel("…")`."""
    values = [keyword.value for keyword in call.keywords if keyword.arg in ("xlabel", "ylabel")]
    if isinstance(call.func, ast.Attribute) and call.func.attr in ("set_xlabel", "set_ylabel"):
        values += call.args[:1]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


def _plain(markdown: str) -> str:
    """Return the text of a piece of Markdown without markup."""
    html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(markdown)
    return " ".join(BeautifulSoup(html, "html.parser").get_text().split())


def _card_figure(book: nbformat.NotebookNode) -> Figure | None:
    """Return the figure of the cell tagged `nbsphinx-thumbnail` (nbsphinx's convention), else the last one."""
    tagged = [cell for cell in book.cells if THUMBNAIL in cell.metadata.get("tags", [])]
    for cells in (tagged, book.cells):
        figures = [output for cell in cells for output, kind in _pictures(cell) if kind == "image/png"]
        if figures:
            last = figures[-1]
            return Figure(last.data["image/png"].replace("\n", ""), last.metadata["image/png"]["alt"])
    return None


def build(outputs: Path = Path("outputs")) -> Path:
    """Write `index.html` and `gallery/taskN.html` into `outputs`; return the index.

    All pages are written into a temporary folder and then renamed, the index last. So every page is whole at any time,
    also after an interruption. A notebook that is not readable is left out with a warning.

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
    for task in notebooks.available():
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
    templates = environment()
    story_page = templates.get_template("story.html.j2")
    pages = {}
    for story, before, after in zip(stories, [None, *stories[:-1]], [*stories[1:], None], strict=True):
        pages[story.address] = story_page.render(story=story, before=before, after=after)
    notes = {f"gallery/{path.stem}.html": _note(path) for path in sorted(notebooks.notebooks_dir().glob("*.md"))}
    for address, (title, body) in notes.items():
        pages[address] = templates.get_template("note.html.j2").render(title=title, body=body)
    titles = {address: title for address, (title, _) in notes.items()}
    index = templates.get_template("index.html.j2").render(stories=stories, columns=_COLUMNS, notes=titles)
    return pages | {"index.html": index}


def _note(path: Path) -> tuple[str, Markup]:
    """Return title and HTML of a Markdown file beside the notebooks."""
    source = path.read_text(encoding="utf-8")
    page = BeautifulSoup(MarkdownWithMath(renderer=_Renderer(escape=False)).render(source), "html.parser")
    _tidy(page)
    title = page.find("h1")
    return title.get_text() if title else path.stem, Markup(str(page))  # noqa: S704 - our text # nosec B704


def environment() -> jinja2.Environment:
    """Return what renders our pages: the templates, number formats, and the style that all pages share."""
    found = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    found.filters |= {"number": report.number, "share": report.share}
    found.globals["style"] = Markup(_style())  # noqa: S704 - our own file # nosec B704
    return found


def _style() -> str:
    """Return the pages' CSS: ours and the colours of the code, by day and by night."""
    light, dark = (HtmlFormatter(style=name).get_style_defs(".highlight") for name in CODE_STYLES)
    ours = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n{ours}"
