"""The errors and warnings of neoai: each message names what is wrong, where, and the remedy.

An error is for what would lead to a wrong submission. Everything else is a warning, given once, which says what was
assumed: real files are seldom as clean as the description of a competition.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable

__all__ = [
    "AssetError",
    "DataError",
    "DataWarning",
    "NeoaiError",
    "NotANumberError",
    "ParameterError",
    "SubmissionError",
    "UnknownTaskError",
    "did_you_mean",
    "warn",
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


class NotANumberError(NeoaiError, ArithmeticError):
    """A network's answer is NaN: its numbers overflowed, or its weights are damaged."""


class DataWarning(UserWarning):
    """A file is not quite in the expected form; the message says what was assumed."""


def warn(message: str) -> None:
    """Give a `DataWarning`, once for each text.

    Args:
        message: the file, the line where there is one, what is unusual, and what was assumed.
    """
    warnings.warn(message, DataWarning, stacklevel=2)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `": did you mean X?"` for the closest known word, else the list of what is known."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1)
    return f": did you mean {close[0]}?" if close else f"; known are {', '.join(names)}"
