"""The errors of neoai: each message names what is wrong, where, and the remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AssetError",
    "DataError",
    "NeoaiError",
    "ParameterError",
    "SubmissionError",
    "UnknownTaskError",
    "did_you_mean",
]


class NeoaiError(Exception):
    """Base of everything that neoai raises on purpose."""


class DataError(NeoaiError, ValueError):
    """A file of the competition is missing, damaged or not in the expected form."""


class SubmissionError(DataError):
    """A submission does not have the rows, columns or values that the competition wants."""


class ParameterError(NeoaiError, ValueError):
    """A notebook parameter is unknown, ill-typed or out of range."""


class UnknownTaskError(NeoaiError, KeyError):
    """A task name that is none of the eight."""

    def __str__(self) -> str:
        """Give the plain message (KeyError would quote it)."""
        return str(self.args[0]) if self.args else ""


class AssetError(NeoaiError, RuntimeError):
    """Weights or data from a package could not be fetched, verified or converted."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `": did you mean X?"` for the closest known word, else the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f": did you mean {close[0]}?" if close else f"; known are {', '.join(names)}"
