"""The site as a reader's machine meets it: parsed, followed link by link, and drawn by a browser where there is one."""

from __future__ import annotations

import base64
import io
import itertools
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from neoai_utils.commands import gallery
from neoai_utils.errors import DataError, DataWarning, NeoaiError

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = """           score  error  recovered
baseline   0.100  0.010      0.000
published    NaN               NaN
ours       0.750  0.012      0.812
ceiling    0.900             1.000"""
TITLE = """# Task 5 · Broken <BERT> & more

[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)](https://kaggle.com/kernels/welcome?src=x)

**The problem in one sentence.** Repair *it*.

<!-- cost -->
**Cost:** about 2 min on 2 CPU cores (measured by the last stored run)
<!-- /cost -->"""
TEXT = r"""## 1. A look

Inline $n(n+1)/2$ and $a_$, which is no formula. See [above](#1.-A-look).

$$\sum_{i=1}^{n} \frac{a_i + b_i + c_i + d_i + e_i + f_i + g_i + h_i + i_i + j_i + k_i + l_i + m_i}{q}$$

| a | b |
| - | - |
| a_word_as_long_as_a_telephone_is_wide | another_word_as_long_as_a_telephone_is_wide |

The dots are *ours*."""


def png(colour: str, width: int = 900) -> str:
    file = io.BytesIO()
    Image.new("RGB", (width, 40), colour).save(file, format="PNG")
    return base64.encodebytes(file.getvalue()).decode()


def show(source: str, **data: str) -> nbformat.NotebookNode:
    kinds = {"png": "image/png", "html": "text/html", "plain": "text/plain"}
    output = new_output("execute_result", {kinds[k]: v for k, v in data.items()}, execution_count=1)
    return new_code_cell(source, outputs=[output], execution_count=1)


def book() -> nbformat.NotebookNode:
    red = show("draw(1)", png=png("red"), plain="<Figure>")
    red.metadata["tags"] = [gallery.THUMBNAIL]
    wide = "<style scoped>p {color: red}</style><table border='1'><tr>" + "<td>a wide table</td>" * 40 + "</tr></table>"
    flood = new_code_cell("print('x' * 500)", outputs=[new_output("stream", name="stdout", text="x" * 500 + "<b>\n")])
    cells = [
        new_markdown_cell(TITLE), new_markdown_cell(TEXT), red, flood, show("frame", html=wide, plain="frame"),
        new_markdown_cell("### Closer"), show("axes.set(xlabel='time', ylabel='score')", png=png("blue", 40)),
        show("workspace.summary()", plain=SUMMARY),
    ]  # fmt: skip
    return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})


@dataclass(frozen=True)
class Site:
    folder: Path

    @cached_property
    def pages(self) -> dict[Path, BeautifulSoup]:
        """The index and the stories, parsed."""
        paths = [self.folder / "index.html", *sorted((self.folder / "gallery").glob("*.html"))]
        return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in paths}

    @property
    def index(self) -> BeautifulSoup:
        return self.pages[self.folder / "index.html"]

    @property
    def stories(self) -> dict[str, BeautifulSoup]:
        return {path.stem: page for path, page in self.pages.items() if path.stem.startswith("task")}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with the notebooks of two tasks."""
    return fill(tmp_path, monkeypatch)


def fill(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "notebooks").mkdir()
    for task in ("task5", "task7"):
        nbformat.write(book(), folder / "notebooks" / f"{task}.ipynb")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module", params=["small", "real"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Build the site of two small notebooks, and that of the project's own."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "small":
            fill(folder, patch)
        else:
            patch.chdir(ROOT)
        return Site(gallery.build(folder / "outputs").parent)


@pytest.fixture
def small(shelf: Path) -> Site:
    return Site(gallery.build().parent)


def test_every_page_has_one_title_and_headings_in_order(site: Site) -> None:
    assert len(site.stories) == len(site.index.select(".card"))
    for path, page in site.pages.items():
        assert page.html is not None
        assert page.html["lang"] == "en"
        assert page.select_one("meta[name=viewport]")
        assert page.title is not None
        assert page.title.get_text().strip()
        assert len(page.select("main")) == len(page.select("h1")) == 1
        levels = [int(heading.name[1]) for heading in page.select("h1, h2, h3, h4, h5, h6")]
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels)), path
        names = [element["id"] for element in page.select("[id]")]
        assert len(names) == len(set(names)), path


def test_every_link_and_anchor_resolves(site: Site) -> None:
    for path, page in site.pages.items():
        for link in page.select("a[href]"):
            address, _, anchor = str(link["href"]).partition("#")
            assert link.get_text(strip=True), f"{path}: a link without words"
            if re.match(r"https?://", address):
                continue
            target = (path.parent / address).resolve() if address else path
            assert target in site.pages, f"{path}: {link['href']}"
            assert not anchor or site.pages[target].find(id=anchor), f"{path}: #{anchor}"


def test_every_figure_has_a_text_and_is_in_the_page(site: Site) -> None:
    for page in site.pages.values():
        for picture in page.select("img"):
            assert str(picture["alt"]).startswith("Figure in “")
            assert str(picture["src"]).startswith("data:image/")


def test_no_page_needs_the_network(site: Site) -> None:
    for page in site.pages.values():
        policy = page.select_one('meta[http-equiv="Content-Security-Policy"]')
        assert policy is not None
        assert policy["content"] == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        assert not page.select("script, iframe, object, embed, base, form, [srcset], [poster], [background]")
        assert [link["href"] for link in page.select("link")] == ["data:,"]
        for style in [s.get_text() for s in page.select("style")] + [str(e["style"]) for e in page.select("[style]")]:
            assert "url(" not in style
            assert "@import" not in style


def test_the_contents_name_every_heading(site: Site) -> None:
    for page in site.stories.values():
        listed = [link.get_text() for link in page.select(".contents li a")]
        assert listed == [heading.get_text() for heading in page.select("main :is(h2, h3)")]
        assert listed


def test_the_index_shows_every_notebook_with_a_picture(site: Site) -> None:
    tasks = list(site.stories)
    assert tasks == ["task5", "task7"] or tasks == sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert [link["href"] for link in site.index.select(".scores th a")] == [f"gallery/{task}.html" for task in tasks]
    assert all(card.select_one("img") for card in site.index.select(".card"))


def test_notes_beside_the_notebooks_are_pages_that_the_index_names(shelf: Path, tmp_path: Path) -> None:
    (shelf / "notebooks/words.md").write_text("# Words & more\n\n- **Ladder**: $x^2$ < y\n", encoding="utf-8")
    links = (
        "[1](words.md#a) [2](https://github.com/a/b/blob/main/notebooks/words.md) [3](https://github.com/a/other.md)"
    )
    (shelf / "notebooks/other.md").write_text(links, encoding="utf-8")
    index = BeautifulSoup(gallery.build(tmp_path / "outputs").read_text(encoding="utf-8"), "html.parser")
    link = index.select_one('a[href="gallery/words.html"]')
    assert link is not None
    assert link.get_text() == "Words & more"
    page = BeautifulSoup((tmp_path / "outputs/gallery/words.html").read_text(encoding="utf-8"), "html.parser")
    assert page.title is not None
    assert page.title.get_text() == "Words & more – neoai"
    assert page.select_one("li math")
    other = BeautifulSoup((tmp_path / "outputs/gallery/other.html").read_text(encoding="utf-8"), "html.parser")
    targets = [link["href"] for link in other.select(".prose a, main a") if link.get_text() in "123"]
    assert targets == ["words.html#a", "words.html", "https://github.com/a/other.md"]


def test_scores_problem_cost_and_figure_come_out_of_the_notebook(small: Site) -> None:
    index = small.index
    row = [cell.get_text() for cell in index.select(".scores tbody tr")[0].select(".number")]
    assert row == ["0.100", "–", "0.750", "0.900", "81%"]
    card = index.select(".card")[0]
    assert "Repair it." in card.get_text()
    assert "about 2 min on 2 CPU cores" in card.get_text()
    assert "measured" not in card.get_text()
    assert "neoai practice 5" in card.get_text()
    assert card.img["src"] == "data:image/png;base64," + png("red").replace("\n", "")


def test_formulas_become_mathml_and_bad_ones_stay_readable(small: Site) -> None:
    page = small.stories["task5"]
    inline, block = page.select("math")
    assert (inline["display"], block["display"]) == ("inline", "block")
    assert inline.get_text() == "n(n+1)/2"
    assert block.parent is not None
    assert "scroll" in block.parent["class"]
    assert "a_" in [code.get_text() for code in page.select(".prose code")]
    assert "$" not in page.main.get_text()


def test_badges_become_words_and_text_stays_text(small: Site) -> None:
    page = small.stories["task5"]
    assert [link.get_text() for link in page.select("a.badge")] == ["Open in Kaggle"]
    assert page.h1 is not None
    assert "& more" in page.h1.get_text()
    assert "x<b>" in page.select(".output pre")[0].get_text()
    assert all("scroll" in table.parent["class"] for table in page.select("main table"))


def test_alternative_texts_say_what_the_notebook_says() -> None:
    given = book()
    given.cells.append(show("plotting.ladder_chart(ladder)", png=png("red")))
    given.cells.append(show("%matplotlib inline", png=png("red")))
    given.cells[-1].outputs[0].metadata["image/png"] = {"alt": "by hand"}
    gallery.describe_figures(given)
    texts = [o.get("metadata", {}).get("image/png", {}).get("alt") for c in given.cells for o in c.get("outputs", [])]
    assert [alt for alt in texts if alt] == [
        "Figure in “1. A look”. The dots are ours.",
        "Figure in “Closer”. Axes: time, score.",
        "Figure in “Closer”. The ladder's rows as horizontal bars and the ceiling as a line.",
        "by hand",
    ]


def test_a_run_is_shown_if_it_succeeded(shelf: Path) -> None:
    changed = book()
    changed.cells[0].source = "# Played\n\n**Just now.**"
    (shelf / "outputs/task5").mkdir(parents=True)
    nbformat.write(changed, shelf / "outputs/task5/task5.ipynb")
    assert gallery.read_story("task5").problem == "Repair it."  # no results.json: that run failed
    (shelf / "outputs/task5/results.json").write_text("{}")
    story = gallery.read_story("task5")
    assert (story.problem, story.from_run) == ("Just now.", True)
    gallery.build()
    cards = Site(shelf / "outputs").index.select(".card")
    assert ["your last run" in card.get_text() for card in cards] == [True, False]


def test_a_notebook_without_figure_scores_and_headings_has_a_page(shelf: Path) -> None:
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Bare")]), shelf / "notebooks/task5.ipynb")
    story = gallery.read_story("task5")
    assert (story.figure, story.problem, story.cost, story.contents) == (None, "", "", ())
    assert set(story.scores.values()) == {None}
    gallery.build()


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_a_failed_build_leaves_the_old_pages(
    shelf: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException, call: int
) -> None:
    gallery.build()
    old = state(shelf)
    nbformat.write(new_notebook(cells=[new_markdown_cell("# New")]), shelf / "notebooks/task5.ipynb")
    old["notebooks/task5.ipynb"] = (shelf / "notebooks/task5.ipynb").read_bytes()
    calls: list[Path] = []
    write = Path.write_text

    def fail(path: Path, *given: Any, **named: Any) -> int:
        calls.append(path)
        write(path, "half a page", encoding="utf-8")
        if len(calls) > call:
            raise fault
        return write(path, *given, **named)

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises((NeoaiError, KeyboardInterrupt), match="No space left|^$"):
        gallery.build()
    assert state(shelf) == old
    assert not list(shelf.rglob("*.part"))


def test_what_cannot_be_built_is_an_error(shelf: Path) -> None:
    (shelf / "a-file").write_text("")
    with pytest.raises(NeoaiError, match="cannot create the folder"):
        gallery.build(shelf / "a-file")
    for task in ("task5", "task7"):
        (shelf / f"notebooks/{task}.ipynb").write_text("{")
    with pytest.warns(DataWarning), pytest.raises(DataError, match=r"task7\.ipynb is no notebook"):
        gallery.build()
    assert not (shelf / "outputs").exists()
    for path in (shelf / "notebooks").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no notebooks here"):
        gallery.build()


def test_the_same_notebooks_give_the_same_bytes(shelf: Path) -> None:
    gallery.build()
    old = state(shelf)
    gallery.build()
    assert state(shelf) == old


def luminance(colour: str) -> float:
    """Return the relative luminance of "#rrggbb" (WCAG 2.2)."""
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_all_words_have_enough_contrast_in_light_and_dark_mode() -> None:
    """WCAG 2.2, success criterion 1.4.3: a contrast of 4.5 at least."""
    from pygments.styles import get_style_by_name

    css = (Path(gallery.__file__).parent / "templates/style.css").read_text(encoding="utf-8")
    schemes = [
        dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    ]
    assert len(schemes) == 2
    for scheme, name in zip(schemes, gallery.CODE_STYLES, strict=True):
        for words in ("text", "muted", "link"):
            assert contrast(scheme[words], scheme["page"]) >= 4.5
        assert contrast(scheme["text"], scheme["panel"]) >= 4.5
        for token, looks in get_style_by_name(name):
            if looks["color"] and not looks["bgcolor"] and "Generic" not in str(token) and "Error" not in str(token):
                assert contrast("#" + looks["color"], scheme["panel"]) >= 4.5, token


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start the machine's Chromium."""
    playwright = pytest.importorskip("playwright.sync_api")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    sandbox = [] if getattr(os, "geteuid", lambda: 1)() else ["--no-sandbox"]  # Chromium has none for root
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=program, args=sandbox)
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_a_browser_shows_every_page(site: Site, browser: Any, scheme: str, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    console: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: console.append(message.text))
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    for path in site.pages:
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        broken = "[...document.images].filter(picture => !picture.naturalWidth).length"
        assert page.evaluate(broken) == 0, path
        corner = Image.open(io.BytesIO(page.screenshot())).convert("L").getpixel((width - 1, 799))
        assert corner > 200 if scheme == "light" else corner < 60, path
    assert not console
    assert {url.partition(":")[0] for url in requests} <= {"file", "data"}
    context.close()
