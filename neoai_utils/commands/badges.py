"""Write the repository's address and the rehearsed costs into the stored notebooks and the README."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neoai_utils import storage
from neoai_utils.commands import imports, notebooks, rehearsals, report, repository

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["renew"]


def renew() -> list[Path]:
    """Rewrite badges, links to the glossary, the lines that install the library, rehearsed costs, README's clone line.

    See `repository` and `rehearsals`. A notebook without the markers `<!-- badges -->`, or without the cell of the
    guard, is not changed there.

    Returns:
        The files that changed.

    Raises:
        DataError: a notebook is not readable or holds code that is no Python.
        NeoaiError: the address is unknown, or a file cannot be written.
    """
    import nbformat

    source, records, changed = repository.address(), rehearsals.read(), []
    for task in notebooks.available():
        path = notebooks.find_notebook(task)
        book = notebooks.read(path)
        if _renewed(book, task, source, rehearsals.sentence(task, records)):
            with storage.atomic_path(path) as temporary:
                nbformat.write(book, temporary)
            changed.append(path)
    readme = notebooks.notebooks_dir().parent / "README.md"
    old = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    new = report.update_section(old, "clone", repository.clone_line(source))
    new = report.update_section(new, "rehearsed", rehearsals.markdown(records))
    if new != old:
        with storage.atomic_path(readme) as temporary:
            temporary.write_text(new, encoding="utf-8", newline="\n")
        changed.append(readme)
    return changed


def _renewed(book: NotebookNode, task: str, source: str, cost: str) -> bool:
    """Rewrite a notebook's cells; return whether anything changed."""
    old = [cell.source for cell in book.cells]
    for cell in book.cells:
        if cell.cell_type == "markdown":
            cell.source = report.update_section(cell.source, "badges", repository.badges(task, source))
            cell.source = report.update_section(cell.source, "rehearsed", cost)
            cell.source = repository.with_glossary(cell.source, source)
        elif (guard := repository.without_getting(cell.source)).startswith(repository.GUARD):
            cell.source = repository.getting(task, source, imports.packages(task)) + guard
    return [cell.source for cell in book.cells] != old
