"""Lost rows are found, the rules are enforced, and hidden donors are lost to a repair."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.embeddings import damage
from neoai_utils.errors import DataError


def test_lost_rows_and_donors(case):
    assert len(case.lost) == 16
    donors = {case.tokens[i] for i in case.donors}
    assert "walk" in donors
    assert not donors & {"[PAD]", "[CLS]", "[unused1]"}
    assert set(case.lost).isdisjoint(case.donors)
    assert case.mean == pytest.approx(case.table[case.donors].mean(axis=0))


@pytest.mark.parametrize(
    ("table", "words", "message"),
    [
        (np.ones((3, 2)), ["a", "b"], "2 tokens, the embedding table the shape"),
        (np.full((2, 2), np.nan), ["a", "b"], "not finite"),
        (np.ones((2, 2)), ["a", "b"], "0 of 2 rows are zero"),
        (np.zeros((2, 2)), ["a", "b"], "2 of 2 rows are zero"),
    ],
)
def test_tables_that_cannot_be_repaired_are_refused(table, words, message):
    with pytest.raises(DataError, match=message):
        damage.find(table, words)


@given(st.integers(0, 2**31), st.integers(1, 20))
@settings(max_examples=30)
def test_breaking_takes_the_right_number_and_spares(seed, count):
    table = np.ones((30, 4), np.float32)
    broken = damage.break_rows(table, count, seed, spare=[0, 7])
    zero = ~broken.any(axis=1)
    assert zero.sum() == count
    assert not zero[[0, 7]].any()
    assert np.array_equal(broken, damage.break_rows(table, count, seed, spare=[0, 7]))
    assert table.all()


def test_repair_changes_lost_rows_only(case):
    rows = np.full((len(case.lost), 8), 2, np.float32)
    table = damage.repaired(case, rows)
    assert (table[case.lost] == 2).all()
    kept = np.setdiff1d(np.arange(len(table)), case.lost)
    assert table[kept].tobytes() == case.table[kept].tobytes()


@pytest.mark.parametrize("edit", [lambda t: t * np.float32(1 + 1e-7), np.negative])
def test_one_changed_bit_in_an_intact_row_is_an_error(case, edit):
    table = case.table.copy()
    row = case.donors[5]
    table[row] = edit(table[row])
    with pytest.raises(DataError, match=f"row {row} was not zero but changed"):
        damage.check_rules(case.table, table)


def test_other_shapes_and_values_are_refused(case):
    with pytest.raises(DataError, match="came back as"):
        damage.check_rules(case.table, case.table.astype(np.float64))
    with pytest.raises(DataError, match="finite rows of shape"):
        damage.repaired(case, np.full((len(case.lost), 8), np.inf, np.float32))
    with pytest.raises(DataError, match="finite rows of shape"):
        damage.repaired(case, np.ones((3, 8), np.float32))


def test_hidden_donors_are_lost_to_the_repair(case):
    rows = case.donors[10:20]
    hidden = damage.hide(case, rows)
    assert np.array_equal(hidden.lost, rows)
    assert not hidden.table[rows].any()
    assert not hidden.table[case.lost].any()
    assert not set(rows) & set(hidden.donors)
    assert case.table[rows].any(axis=1).all()


def test_cross_fit_never_shows_a_row_to_the_repair_that_predicts_it(case):
    seen = []

    def spy(part):
        assert not part.table[part.lost].any()
        seen.append(part.lost)
        return np.repeat(part.lost[:, None], 8, axis=1).astype(np.float32)

    rows = case.donors[::2]
    predictions = damage.cross_fit(spy, case, rows)
    assert np.array_equal(predictions[:, 0].astype(int), rows)  # each prediction in its own row
    assert np.array_equal(np.sort(np.concatenate(seen)), rows)


def test_centred_cosine_of_truth_mean_and_opposite():
    mean = np.array([5, 5], np.float32)
    truth = np.array([[6, 5], [5, 6], [4, 5]], np.float32)
    assert damage.centred_cosine(truth, truth, mean) == pytest.approx(1)
    assert damage.centred_cosine(np.tile(mean, (3, 1)), truth, mean) == pytest.approx(0)
    assert damage.centred_cosine(2 * mean - truth, truth, mean) == pytest.approx(-1)
