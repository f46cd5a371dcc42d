"""Where a competition's files lie on a host: its own mount, a dataset that holds them, a folder of an unpacked archive.

Kaggle mounts a competition under `/kaggle/input/<slug>` or `/kaggle/input/competitions/<slug>`, and files that somebody
uploads again as a dataset under `/kaggle/input/datasets/<owner>/<name>`, `/kaggle/input/d/<owner>/<name>` or
`/kaggle/input/<name>`. On Colab users put them anywhere into the session's folder or their drive. So first the folders
called like the competition are asked, then every folder below these places, to a bounded depth and number.
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

__all__ = ["find", "inside", "nowhere"]

_DEPTH, _FOLDERS = 6, 2000  # of one search: datasets/<owner>/<name> and three levels more
_COLAB_DEPTH, _COLAB_FOLDERS = 3, 300  # a mounted drive answers slowly
_CROWD = 2000  # entries of a folder above which it holds pictures, not folders


def find(slug: str, required: Sequence[str]) -> Path | None:
    """Return the folder that holds a competition's files on this host; None if there is none.

    Raises:
        DataError: several folders hold them and none is the competition's mount, or its mount lacks one of them.
    """
    places = runtime.data_places()
    mounts = [folder for place in places if (folder := place / slug).is_dir()]
    for mount in mounts:
        if found := inside(mount, required):
            return found
    others = frozenset(other.slug for other in competitions.COMPETITIONS.values()) - {slug}
    bounds = (_COLAB_DEPTH, _COLAB_FOLDERS) if runtime.host() == "colab" else (_DEPTH, _FOLDERS)
    fitting = [
        folder for root in _roots(places) for folder in _search(root, *bounds, required, names=others, places=places)
    ]
    found = _only([folder for folder in fitting if slug in str(folder)] or fitting, required)
    if found is None and mounts:
        require_paths(mounts[0], required)
    return _told(found)


def inside(folder: Path, required: Sequence[str]) -> Path | None:
    """Return `folder` if it holds the files, else the one folder at most two levels below that does.

    Raises:
        DataError: several folders below hold them.
    """
    found = _only(list(_search(folder, 2, _FOLDERS, required)), required)
    return found if found == folder else _told(found)


def nowhere(slug: str, required: Sequence[str]) -> str:
    """Say where files were looked for in vain, and what to do."""
    places = " or ".join(map(str, _roots(runtime.data_places())))
    if runtime.host() == "colab":
        remedy = "Upload them into a folder of the session or of the mounted drive"
    else:
        remedy = f"Add the competition {slug} to the notebook's input (Add Input)"
    return f"no folder in {places} holds {', '.join(required)}. {remedy}, or name their folder in data_dir."


def _roots(places: Sequence[Path]) -> list[Path]:
    """Return the places that are searched: among mounts of competitions only the one called by its slug counts."""
    return [place for place in places if place.name != "competitions"]


def _search(
    root: Path,
    depth: int,
    most: int,
    required: Sequence[str],
    *,
    names: Collection[str] = (),
    places: Sequence[Path] = (),
) -> Iterator[Path]:
    """Yield the folders that hold all of `required`, those near `root` first, without what lies in such a folder.

    Passed over are folders with one of `names`, the other places and what holds them, hidden folders and miniatures.
    What is found does not depend on the order in which the file system lists a folder.
    """
    apart = {folder for place in places for folder in (place, *place.parents)}
    waiting, looked = deque([(root, 0)]), 0
    while waiting and looked < most:
        (folder, level), looked = waiting.popleft(), looked + 1
        if _holds(folder, required):
            yield folder
        elif level < depth:
            below = [found for found in _folders_in(folder) if found.name not in names and found not in apart]
            waiting.extend((found, level + 1) for found in below)


def _holds(folder: Path, required: Sequence[str]) -> bool:
    with suppress(OSError):  # a folder that may not be read
        return all((folder / name).exists() for name in required)
    return False


def _folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder that may hold files of a competition, sorted; none for a crowded one."""
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError), os.scandir(folder) as listing:
        entries = list(islice(listing, _CROWD + 1))
    if len(entries) > _CROWD:
        return []
    return sorted(Path(entry) for entry in entries if not entry.name.startswith((".", "__")) and _is_open(entry))


def _is_open(entry: os.DirEntry[str]) -> bool:
    """Tell whether an entry is a folder, and no miniature."""
    with suppress(OSError):
        return entry.is_dir() and not Path(entry, MANIFEST).exists()
    return False


def _told(found: Path | None) -> Path | None:
    """Say where the files were found, as it is not where they are expected."""
    if found is not None:
        print(f"The competition's files were found in {found}.")
    return found


def _only(folders: Sequence[Path], required: Sequence[str]) -> Path | None:
    """Return the folder if there is one, None if there is none; a link to a folder is no second one.

    Raises:
        DataError: there are several.
    """
    distinct: dict[Path, Path] = {}
    for folder in folders:
        distinct.setdefault(folder.resolve(), folder)
    found = list(distinct.values())
    if len(found) > 1:
        raise DataError(
            f"{len(found)} folders hold {', '.join(required)}: {', '.join(map(str, found[:4]))}"
            f"{' …' if len(found) > 4 else ''}. Name one of them in data_dir."
        )
    return found[0] if found else None
