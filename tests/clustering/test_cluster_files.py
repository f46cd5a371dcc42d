"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.clustering import files
from neoai_utils.errors import DataError, SubmissionError


@pytest.fixture
def answer():
    return files.submission(np.arange(40) % 32)


def save(path, array, key="arr_0"):
    np.savez(path, **{key: array})


def test_the_real_format_at_its_real_size(tmp_path, write_factors):
    left, right = write_factors(tmp_path, 3840)
    factors = files.read(tmp_path)
    assert (factors.left.shape, factors.right.shape, len(factors)) == ((3840, 128, 4), (3840, 4, 128), 3840)
    assert factors.left.dtype == factors.right.dtype == np.float32
    assert np.array_equal(factors.left, left) and np.array_equal(factors.right, right)
    frame = files.submission(np.arange(3840) // 120)
    files.check_submission(frame, tmp_path)
    frame.to_csv(tmp_path / "submission.csv", index=False)
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert (lines[0], lines[1], lines[-1], len(lines)) == ("id,target", "0,0", "3839,31", 3841)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "submission.csv"), frame)


def test_double_precision_is_brought_to_single(competition):
    save(competition / "data_1.npz", np.ones((40, 128, 4)))
    assert files.read(competition).left.dtype == np.float32


# --------------------------------------------------------------------------------------------------- the metric


def graded(folder, truth, labels):
    pd.DataFrame({"id": np.arange(len(truth)), "source": truth}).to_csv(folder / "answers.csv", index=False)
    return files.grade(files.submission(np.asarray(labels)), folder)


def test_known_scores(tmp_path):
    truth = np.repeat(np.arange(4), 10)
    assert graded(tmp_path, truth, 31 - truth) == {"ari": 1.0, "nmi": pytest.approx(1.0)}  # names do not matter
    assert graded(tmp_path, truth, np.zeros(40, dtype=int))["ari"] == 0.0
    halves = graded(tmp_path, truth, truth // 2)["ari"]
    pairs, agreed, expected = 780, 180, 180 * 380 / 780  # Hubert & Arabie 1985, worked out by hand
    assert pairs == 40 * 39 / 2
    assert halves == pytest.approx((agreed - expected) / ((180 + 380) / 2 - expected))


@given(st.lists(st.integers(0, 31), min_size=40, max_size=40), st.permutations(range(40)))
@settings(max_examples=30)
def test_neither_names_nor_order_of_rows_matter(tmp_path_factory, labels, order):
    folder = tmp_path_factory.mktemp("answers")
    truth = np.repeat(np.arange(4), 10)
    plain = graded(folder, truth, labels)
    shuffled = files.submission(np.array(labels)).iloc[list(order)].reset_index(drop=True)
    assert files.grade(shuffled, folder)["ari"] == pytest.approx(plain["ari"])
    assert graded(folder, truth, [31 - label for label in labels])["ari"] == pytest.approx(plain["ari"])


# -------------------------------------------------------------------------------------------- faults in the data


def test_a_missing_file_is_named(competition):
    (competition / "data_2.npz").unlink()
    with pytest.raises(DataError, match=r"no data_2\.npz; found there: data_1\.npz"):
        files.read(competition)


def test_a_wrong_key_is_named(competition):
    save(competition / "data_1.npz", np.ones((40, 128, 4), np.float32), key="W")
    with pytest.raises(DataError, match=r"data_1\.npz has no key arr_0; found: W"):
        files.read(competition)


@pytest.mark.parametrize("shape", [(40, 4, 128), (40, 128), (40, 128, 5), (40, 64, 4), (0, 128, 4), (1, 40, 128, 4)])
def test_a_wrong_shape_is_named(competition, shape):
    save(competition / "data_1.npz", np.ones(shape, np.float32))
    with pytest.raises(DataError, match=r"data_1\.npz: arr_0 must have the shape \(n, 128, 4\), this one has"):
        files.read(competition)


def test_swapped_files_are_recognised(competition):
    (competition / "data_1.npz").rename(competition / "other")
    (competition / "data_2.npz").rename(competition / "data_1.npz")
    (competition / "other").rename(competition / "data_2.npz")
    with pytest.raises(DataError, match="Were the two files swapped"):
        files.read(competition)


@pytest.mark.parametrize("kind", ["int64", "uint8", "complex64", "U4"])
def test_a_wrong_dtype_is_named(competition, kind):
    save(competition / "data_2.npz", np.ones((40, 4, 128)).astype(kind))
    with pytest.raises(DataError, match=r"data_2\.npz: arr_0 must hold floating-point numbers"):
        files.read(competition)


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "a gap or an infinity"), (np.inf, "a gap or an inf"), (-0.5, "a negative number")]
)
def test_a_bad_number_is_found(competition, value, message):
    array = np.ones((40, 4, 128), np.float32)
    array[17, 2, 100] = value
    save(competition / "data_2.npz", array)
    with pytest.raises(DataError, match=rf"data_2\.npz: arr_0 holds {message}.*picture 17"):
        files.read(competition)


def test_counts_that_differ(competition):
    save(competition / "data_2.npz", np.ones((39, 4, 128), np.float32))
    with pytest.raises(DataError, match=r"data_1\.npz holds 40 pictures but data_2\.npz holds 39"):
        files.read(competition)


def test_pickled_objects_are_refused(competition):
    """Reading a pickle can run any code, so such a file is never opened that way."""
    objects = np.empty(40, dtype=object)
    objects[:] = [{"a": 1}] * 40
    np.savez(competition / "data_1.npz", arr_0=objects)
    with pytest.raises(DataError, match=r"data_1\.npz cannot be read as an archive of plain numbers"):
        files.read(competition)


@pytest.mark.parametrize("keep", [0, 10, 5000])
def test_a_damaged_file_is_named(competition, keep):
    path = competition / "data_1.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"data_1\.npz cannot be read"):
        files.read(competition)


def test_a_bare_array_is_named(competition):
    with (competition / "data_1.npz").open("wb") as file:
        np.save(file, np.ones((40, 128, 4), np.float32))
    with pytest.raises(DataError, match="bare array"):
        files.read(competition)


# ------------------------------------------------------------------------------------ faults in the submission


def test_a_good_submission_passes(competition, answer):
    files.check_submission(answer, competition)
    files.check_submission(answer.sample(frac=1, random_state=0), competition)  # the order of rows is free


def test_missing_extra_and_double_rows(competition, answer):
    for frame, message in (
        (answer.iloc[:-1], "misses id 39"),
        (pd.concat([answer, answer.iloc[:1].assign(id=40)]), "unknown id 40"),
        (pd.concat([answer, answer.iloc[:1]]), "id 0 twice"),
        (answer.rename(columns={"target": "cluster"}), "columns id, target"),
        (answer.astype({"target": float}).mask(answer["id"] == 3), "row 4"),
    ):
        with pytest.raises(SubmissionError, match=message):
            files.check_submission(frame, competition)


@pytest.mark.parametrize("value", [32, -1, 1.5, "seven", True])
def test_a_target_that_is_no_cluster_number(competition, answer, value):
    frame = answer.astype({"target": object})
    frame.loc[5, "target"] = value
    with pytest.raises(
        SubmissionError,
        match=r"id 5: the target must be a (cluster number, a whole number from 0 to 31|whole number), not",
    ):
        files.check_submission(frame, competition)


def test_a_file_with_fractions_is_refused(tmp_path):
    (tmp_path / "submission.csv").write_text("id,target\n0,1\n1,2.5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"'target' must hold whole numbers; data row 2 holds 2\.5"):
        files.parse_submission(tmp_path / "submission.csv")
