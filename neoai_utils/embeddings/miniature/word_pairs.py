"""Rated pairs of words, to look at a repaired table on the miniature; in the competition they would be outside data."""

from __future__ import annotations

from pathlib import Path

from neoai_utils import offline
from neoai_utils.errors import DataError

__all__ = ["LISTS", "fetch", "read"]

LISTS = ("wordsim353", "simlex999")
"""WordSim-353 asks how related two words are, SimLex-999 how similar."""


def fetch(name: str) -> list[tuple[str, str, float]]:
    """Return the pairs of one of `LISTS`, as (word, word, rating).

    Raises:
        AssetError: the list cannot be downloaded.
    """
    return read(offline.fetch(name))


def read(path: Path) -> list[tuple[str, str, float]]:
    """Read rated word pairs; words come back in lower case.

    The file has three tab-separated columns (word, word, rating) and comment lines with "#".

    Raises:
        DataError: a line has another form.
    """
    pairs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                first, second, rating = line.split("\t")[:3]
                pairs.append((first.lower(), second.lower(), float(rating)))
            except ValueError:
                raise DataError(f"{path}: not a rated pair of words: {line!r}") from None
    return pairs
