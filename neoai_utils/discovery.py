"""The search for a competition's files, and for attached files, on Kaggle and on Colab.

Kaggle mounts a competition under `/kaggle/input/<slug>` or `/kaggle/input/competitions/<slug>`. The same files uploaded
as a dataset lie under `/kaggle/input/datasets/<owner>/<name>`, `/kaggle/input/d/<owner>/<name>` or
`/kaggle/input/<name>`. On Colab users copy them into any folder of the session or of their drive. The search therefore
looks at the folders named like the competition first, then at all folders below these roots, down to a fixed depth and
up to a fixed number.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from neoai_utils import competitions, runtime
from neoai_utils.errors import DataError
from neoai_utils.storage import MANIFEST
from neoai_utils.tables import require_paths

__all__ = ["data_roots", "find", "find_below", "mounted_files", "not_found_message"]

_DEPTH, _FOLDERS = 6, 2000  # bounds of the search for a competition: datasets/<owner>/<name> and three levels more
_COLAB_DEPTH, _COLAB_FOLDERS = 3, 300  # lower, because a mounted drive is slow
_FILE_DEPTH, _FILE_FOLDERS = 8, 5000  # bounds of the search for an attached file
_MAX_ENTRIES = 2000  # a folder with more entries holds pictures, not folders
_COLAB = Path("/content")


def data_roots() -> tuple[Path, ...]:
    """Return the folders below which a competition's folder may lie.

    They are Kaggle's mounts and, on Colab, the session's folder and the user's mounted drive.
    """
    mounts = runtime.kaggle_folder("input")
    roots = (mounts, mounts / "competitions")
    return (*roots, _COLAB, _COLAB / "drive" / "MyDrive") if runtime.host() == "colab" else roots


def find(slug: str, required: Sequence[str]) -> Path | None:
    """Return the folder that holds a competition's files on this host; None if there is none.

    Args:
        slug: the competition's name in Kaggle's addresses.
        required: paths of the files below the folder.

    Raises:
        DataError: several folders hold them and none is the competition's mount, or its mount lacks one of them.
    """
    roots = data_roots()
    mounts = [folder for root in roots if (folder := root / slug).is_dir()]
    for mount in mounts:
        if holder := find_below(mount, required):
            return holder
    others = frozenset(other.slug for other in competitions.COMPETITIONS.values()) - {slug}
    bounds = (_COLAB_DEPTH, _COLAB_FOLDERS) if runtime.host() == "colab" else (_DEPTH, _FOLDERS)
    candidates = [
        folder for root in _searched(roots) for folder in _holders(root, *bounds, required, names=others, roots=roots)
    ]
    holder = _only([path for path in candidates if slug in str(path)] or candidates, required)
    if holder is None and mounts:
        require_paths(mounts[0], required)
    return _announced(holder)


def find_below(folder: Path, required: Sequence[str]) -> Path | None:
    """Return `folder` if it holds the files, else the one folder at most two levels below that does.

    Raises:
        DataError: several folders below hold them.
    """
    holder = _only(list(_holders(folder, 2, _FOLDERS, required)), required)
    return holder if holder == folder else _announced(holder)


def not_found_message(slug: str, required: Sequence[str]) -> str:
    """Return which folders were searched in vain, and the remedy."""
    roots = " or ".join(map(str, _searched(data_roots())))
    if runtime.host() == "colab":
        remedy = "Upload them into a folder of the session or of the mounted drive"
    else:
        remedy = f"Add the competition {slug} to the notebook's input (Add Input)"
    return f"no folder in {roots} holds {', '.join(required)}. {remedy}, or name their folder in data_dir."


def mounted_files(name: str) -> list[Path]:
    """Return the files of this name, in any case, below Kaggle's folder of mounts, those at the lowest depth first."""
    paths: list[Path] = []
    for folder, _ in _walk(runtime.kaggle_folder("input"), _FILE_DEPTH, _FILE_FOLDERS):
        with suppress(OSError), os.scandir(folder) as entries:
            paths += sorted(
                Path(entry) for entry in entries if entry.name.lower() == name.lower() and not entry.is_dir()
            )
    return paths


def _searched(roots: Sequence[Path]) -> list[Path]:
    """Return the roots to search: among the mounted competitions only the one with the slug as its name counts."""
    return [root for root in roots if root.name != "competitions"]


def _holders(
    root: Path,
    depth: int,
    limit: int,
    required: Sequence[str],
    *,
    names: Collection[str] = (),
    roots: Sequence[Path] = (),
) -> Iterator[Path]:
    """Yield the folders that hold all required files, breadth first, without those inside such a folder.

    Folders with one of the `names`, the other roots, their parents, and miniatures are skipped.
    """
    skipped = {folder for other in roots for folder in (other, *other.parents)}
    for folder, below in _walk(root, depth, limit):
        if _holds(folder, required):
            yield folder
            below.clear()
        below[:] = [
            path for path in below if path.name not in names and path not in skipped and not _holds(path, (MANIFEST,))
        ]


def _walk(root: Path, depth: int, limit: int) -> Iterator[tuple[Path, list[Path]]]:
    """Yield folders with their subfolders, breadth first and in the order of their names.

    As in `os.walk`, a folder that the caller removes from the list is not visited.

    Args:
        root: folder of depth 0, yielded first.
        depth: depth of the deepest folders.
        limit: maximum number of folders.
    """
    queue = deque([(root, 0)])
    for _ in range(limit):
        if not queue:
            return
        folder, level = queue.popleft()
        below = _subfolders(folder) if level < depth else []
        yield folder, below
        queue.extend((path, level + 1) for path in below)


def _subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder, sorted, without hidden ones; none if it has too many entries to hold folders."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as listing:
        entries = list(islice(listing, _MAX_ENTRIES + 1))
    if len(entries) > _MAX_ENTRIES:
        return []
    return sorted(Path(entry) for entry in entries if not entry.name.startswith((".", "__")) and _is_folder(entry))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with suppress(OSError):  # a link whose target cannot be read
        return entry.is_dir()
    return False


def _holds(folder: Path, names: Sequence[str]) -> bool:
    with suppress(OSError):  # a folder without read permission
        return all((folder / name).exists() for name in names)
    return False


def _announced(folder: Path | None) -> Path | None:
    """Print where the files are, because users do not expect them there."""
    if folder is not None:
        print(f"The competition's files were found in {folder}.")
    return folder


def _only(folders: Sequence[Path], required: Sequence[str]) -> Path | None:
    """Return the folder if there is one, None if there is none; a link to a folder does not count beside it.

    Raises:
        DataError: there are several.
    """
    by_target: dict[Path, Path] = {}
    for folder in folders:
        by_target.setdefault(folder.resolve(), folder)
    distinct = list(by_target.values())
    if len(distinct) > 1:
        raise DataError(
            f"{len(distinct)} folders hold {', '.join(required)}: {', '.join(map(str, distinct[:4]))}"
            f"{' …' if len(distinct) > 4 else ''}. Name one of them in data_dir."
        )
    return distinct[0] if distinct else None
