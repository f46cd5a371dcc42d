"""The errors and warnings of neoai: each message names what is wrong, where, and the remedy.

An error is raised for what would lead to a wrong submission. Other irregularities of a file cause one warning that
states what was assumed, because real files seldom match the description of a competition exactly.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence

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
    "first_of",
    "warn",
]


class NeoaiError(Exception):
    """Base class of the errors that neoai raises itself."""


class DataError(NeoaiError, ValueError):
    """A file of the competition is missing, damaged or not in the expected form."""


class SubmissionError(DataError):
    """A submission does not have the rows, columns or values that the competition requires."""


class ParameterError(NeoaiError, ValueError):
    """A notebook parameter is unknown, ill-typed or out of range."""


class UnknownTaskError(NeoaiError, KeyError):
    """A name that is none of the eight tasks."""

    def __str__(self) -> str:
        """Return the message without the quotes of KeyError."""
        return str(self.args[0]) if self.args else ""


class AssetError(NeoaiError, RuntimeError):
    """Weights or data from a package could not be fetched, verified or converted."""


class NotANumberError(NeoaiError, ArithmeticError):
    """A network's output contains NaN: numbers overflowed, or the weights are damaged."""


class DataWarning(UserWarning):
    """A file is not quite in the expected form; the message says what was assumed."""


def warn(message: str) -> None:
    """Issue a `DataWarning`; Python prints each message once.

    Args:
        message: the file, the line if there is one, the irregularity, and what was assumed.
    """
    warnings.warn(message, DataWarning, stacklevel=2)


def first_of(items: Sequence[object]) -> str:
    """Return the first of one or more items and the number of the others, as in "a.png and 2 more"."""
    return f"{items[0]} and {len(items) - 1} more" if len(items) > 1 else str(items[0])


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return `": did you mean X?"` for the valid word closest to a wrong one, else the list of valid words."""
    names = sorted(valid)
    close = difflib.get_close_matches(word, names, n=1)
    return f": did you mean {close[0]}?" if close else f"; known are {', '.join(names)}"
