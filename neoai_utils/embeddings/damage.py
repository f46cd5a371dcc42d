"""What is lost and what is left: zero rows found, the rules guarded, and more rows hidden to practise on.

The rules of the task, in code: a repair sees the table, the vocabulary and unlabelled texts; it may write only into
rows that were zero, and every other row stays as it was to the last bit (`repaired`, `check_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neoai_utils.errors import DataError

__all__ = [
    "Damage", "Floats", "Ids", "break_rows", "centred_cosine", "check_rules", "cross_fit", "find", "hide",
    "repaired", "silent",
]  # fmt: skip

Floats = NDArray[np.float32]
Ids = NDArray[np.intp]

_SILENT = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]")


@dataclass(frozen=True)
class Damage:
    """A broken table.

    Attributes:
        words: the vocabulary, token by id.
        table: (tokens, size) float32, zero in the lost rows.
        lost: ids of the lost rows, ascending.
        donors: ids of the intact rows that stand for words (no special or unused token), ascending.
    """

    words: tuple[str, ...]
    table: Floats
    lost: Ids
    donors: Ids

    @cached_property
    def mean(self) -> Floats:
        """The mean donor row, (size,): what a row is as long as nothing is known about it."""
        return np.asarray(self.table[self.donors].mean(axis=0), dtype=np.float32)

    @cached_property
    def donor_ids(self) -> dict[str, int]:
        """Token -> id of every donor."""
        return {self.words[i]: int(i) for i in self.donors}


def silent(word: str) -> bool:
    """Tell whether a token says nothing by its spelling: special tokens and `[unused17]`."""
    return _SILENT.fullmatch(word) is not None


def find(table: Floats, words: Sequence[str]) -> Damage:
    """Find the rows of `table` (tokens, size) that are exactly zero.

    Raises:
        DataError: vocabulary and table differ in length, the table has values that are not finite, or no row is
            lost or none is left.
    """
    table = np.asarray(table, dtype=np.float32)
    if table.ndim != 2 or len(table) != len(words):
        raise DataError(
            f"the vocabulary has {len(words)} tokens, the embedding table the shape {table.shape}: "
            "take tokenizer and model from the same folder."
        )
    if not np.isfinite(table).all():
        raise DataError("the embedding table holds values that are not finite.")
    zero = ~table.any(axis=1)
    donors = np.flatnonzero(~zero & ~np.array([silent(word) for word in words]))
    if not zero.any() or len(donors) == 0:
        raise DataError(f"{int(zero.sum())} of {len(table)} rows are zero: nothing to repair or to learn from.")
    return Damage(tuple(words), table, np.flatnonzero(zero), donors)


def break_rows(table: Floats, count: int, seed: int, spare: Sequence[int] = ()) -> Floats:
    """Return a copy of `table` with `count` rows set to zero, drawn evenly from all but those in `spare`."""
    drawn = np.random.default_rng(seed).choice(np.setdiff1d(np.arange(len(table)), spare), count, replace=False)
    broken = table.copy()
    broken[drawn] = 0
    return broken


def hide(damage: Damage, rows: Ids) -> Damage:
    """Play the game on rows that are known: a `Damage` whose lost rows are these donors (the real ones stay lost).

    Whatever a repair gives for them can be compared with `damage.table[rows]`: this is how strengths are chosen
    and combinations are learned without a single label.
    """
    rows = np.sort(rows)
    table = damage.table.copy()
    table[rows] = 0
    return replace(damage, table=table, lost=rows, donors=np.setdiff1d(damage.donors, rows))


def cross_fit(repair: Callable[[Damage], Floats], damage: Damage, rows: Ids, seed: int = 0) -> Floats:
    """Return what a repair gives for donors that it has not seen, (rows, size).

    The donors in `rows` (ascending) are hidden one half at a time; `repair` gets the damage with that half lost.
    """
    half = np.random.default_rng(seed).permutation(len(rows)) % 2
    given = np.empty((len(rows), damage.table.shape[1]), dtype=np.float32)
    for side in (0, 1):
        given[half == side] = repair(hide(damage, rows[half == side]))
    return given


def repaired(damage: Damage, rows: Floats) -> Floats:
    """Return the table with `rows` (lost, size) in the place of the lost ones.

    Raises:
        DataError: `rows` has the wrong shape or values that are not finite.
    """
    if rows.shape != (len(damage.lost), damage.table.shape[1]) or not np.isfinite(rows).all():
        wanted = (len(damage.lost), damage.table.shape[1])
        raise DataError(f"a repair must give finite rows of shape {wanted}, not {rows.shape}.")
    table = damage.table.copy()
    table[damage.lost] = rows
    check_rules(damage.table, table)
    return table


def check_rules(before: Floats, after: Floats) -> None:
    """Check that only rows that were zero have changed, the rest being the same to the last bit.

    Raises:
        DataError: naming the first row that breaks the rule.
    """
    if before.shape != after.shape or before.dtype != after.dtype:
        raise DataError(f"a table {before.shape} {before.dtype} came back as {after.shape} {after.dtype}.")
    unsigned = {2: np.uint16, 4: np.uint32, 8: np.uint64}[before.dtype.itemsize]
    changed = (np.ascontiguousarray(before).view(unsigned) != np.ascontiguousarray(after).view(unsigned)).any(axis=1)
    forbidden = np.flatnonzero(changed & before.any(axis=1))
    if len(forbidden):
        raise DataError(
            f"row {forbidden[0]} was not zero but changed ({len(forbidden)} such rows): "
            "the rules allow only lost rows to be written."
        )


def centred_cosine(rows: Floats, truth: Floats, mean: Floats) -> NDArray[np.float64]:
    """Return the cosine of each pair of rows after the mean is taken off, (rows,); 0 for a row at the mean.

    All rows share a large common part; left in, it makes even the constant mean look similar to every row.
    """
    a, b = (rows - mean).astype(np.float64), (truth - mean).astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(norms, 1e-12))
