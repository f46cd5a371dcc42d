"""Lost rows and the rules: find zero rows, guard the intact ones, and hide donors for validation.

The rules of the task, in code: a repair sees the table, the vocabulary and unlabelled texts. It may write only into
rows that were zero; every other row stays the same to the last bit (`repaired`, `check_rules`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from neoai_utils.arrays import Float32, Float64, Integers
from neoai_utils.errors import DataError

__all__ = [
    "Damage", "break_rows", "centred_cosine", "check_rules", "cross_fit", "find", "hide", "is_special", "repaired",
]  # fmt: skip

_SPECIAL = re.compile(r"\[(PAD|UNK|CLS|SEP|MASK|unused\d+)\]")


@dataclass(frozen=True)
class Damage:
    """A broken embedding table.

    Attributes:
        tokens: the vocabulary, token by id.
        table: (tokens, size) float32, zero in the lost rows.
        lost: (lost,) int64 ids of the lost rows, ascending.
        donors: (donors,) int64 ids of the intact rows that stand for words (no special or unused token), ascending.
    """

    tokens: tuple[str, ...]
    table: Float32
    lost: Integers
    donors: Integers

    @cached_property
    def mean(self) -> Float32:
        """The mean donor row, (size,) float32: the best guess for a row about which nothing is known."""
        return np.asarray(self.table[self.donors].mean(axis=0), dtype=np.float32)

    @cached_property
    def donor_ids(self) -> dict[str, int]:
        """Token -> id of every donor."""
        return {self.tokens[i]: int(i) for i in self.donors}


def is_special(token: str) -> bool:
    """Tell whether a token is a special one or `[unused17]`: its spelling has no meaning."""
    return _SPECIAL.fullmatch(token) is not None


def find(table: Float32, tokens: Sequence[str]) -> Damage:
    """Find the rows of `table`, (tokens, size), that are exactly zero.

    Raises:
        DataError: vocabulary and table differ in length, the table has values that are not finite, or no row is
            lost or none is left.
    """
    table = np.asarray(table, dtype=np.float32)
    if table.ndim != 2 or len(table) != len(tokens):
        raise DataError(
            f"the vocabulary has {len(tokens)} tokens, the embedding table the shape {table.shape}: "
            "take tokenizer and model from the same folder."
        )
    if not np.isfinite(table).all():
        raise DataError("the embedding table holds values that are not finite.")
    zero = ~table.any(axis=1)
    donors = np.flatnonzero(~zero & ~np.array([is_special(token) for token in tokens]))
    if not zero.any() or len(donors) == 0:
        raise DataError(f"{int(zero.sum())} of {len(table)} rows are zero: nothing to repair or to learn from.")
    return Damage(tuple(tokens), table, np.flatnonzero(zero), donors)


def break_rows(table: Float32, count: int, seed: int, spare: Sequence[int] = ()) -> Float32:
    """Return a copy of `table` with `count` rows set to zero, drawn evenly from all but those in `spare`."""
    drawn = np.random.default_rng(seed).choice(np.setdiff1d(np.arange(len(table)), spare), count, replace=False)
    broken = table.copy()
    broken[drawn] = 0
    return broken


def hide(damage: Damage, rows: Integers) -> Damage:
    """Return a `Damage` whose lost rows are the given donors; the rows that are really lost stay zero.

    What a repair gives for hidden donors can be compared with `damage.table[rows]`. So strengths are chosen and
    combinations are learned without a label.
    """
    rows = np.sort(rows)
    table = damage.table.copy()
    table[rows] = 0
    return replace(damage, table=table, lost=rows, donors=np.setdiff1d(damage.donors, rows))


def cross_fit(repair: Callable[[Damage], Float32], damage: Damage, rows: Integers) -> Float32:
    """Return what a repair gives for hidden donors, (rows, size) float32.

    Args:
        repair: gets the damage with one half of the rows hidden, then with the other half; returns (lost, size).
        damage: the broken table.
        rows: (rows,) ids of donors, ascending.
    """
    half = np.random.default_rng(0).permutation(len(rows)) % 2
    predictions = np.empty((len(rows), damage.table.shape[1]), dtype=np.float32)
    for side in (0, 1):
        predictions[half == side] = repair(hide(damage, rows[half == side]))
    return predictions


def repaired(damage: Damage, rows: Float32) -> Float32:
    """Return the table, (tokens, size) float32, with `rows`, (lost, size), written into the lost rows.

    Raises:
        DataError: `rows` has the wrong shape or values that are not finite.
    """
    shape = (len(damage.lost), damage.table.shape[1])
    if rows.shape != shape or not np.isfinite(rows).all():
        raise DataError(f"a repair must give finite rows of shape {shape}, not {rows.shape}.")
    table = damage.table.copy()
    table[damage.lost] = rows
    check_rules(damage.table, table)
    return table


def check_rules(before: Float32, after: Float32) -> None:
    """Check that only rows that were zero have changed, the rest being the same to the last bit.

    Args:
        before: (tokens, size) the broken table.
        after: (tokens, size) the repaired one.

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


def centred_cosine(rows: Float32, truth: Float32, mean: Float32) -> Float64:
    """Return the cosine of each pair of rows after the mean is subtracted, (rows,) float64; 0 for a row at the mean.

    All rows share a large common part; with it, even the constant mean is similar to every row.

    Args:
        rows: (rows, size).
        truth: (rows, size).
        mean: (size,).
    """
    a, b = (rows - mean).astype(np.float64), (truth - mean).astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.asarray((a * b).sum(axis=1) / np.maximum(norms, 1e-12))
