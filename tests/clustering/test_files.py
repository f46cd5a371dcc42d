"""The competition's files: right ones are read, wrong ones are refused by name."""

from __future__ import annotations

import gzip
import re
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

from neoai_utils.clustering import files
from neoai_utils.errors import DataError, DataWarning, SubmissionError


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


def test_a_missing_file_is_named(competition):
    (competition / "data_2.npz").unlink()
    with pytest.raises(DataError, match=r"no data_2\.npz; found there: data_1\.npz"):
        files.read(competition)


@pytest.mark.parametrize("others", [{}, {"labels": np.arange(40)}])
def test_another_key_is_reported(competition, others):
    left = np.load(competition / "data_1.npz")["arr_0"]
    np.savez(competition / "data_1.npz", **others, W=left)
    with pytest.warns(DataWarning, match=r"data_1\.npz has no array arr_0 of factors; W has their shape and is taken"):
        assert (files.read(competition).left == left).all()
    files.check_submission(files.submission(np.zeros(40, int)), competition)


def test_two_arrays_that_could_be_meant(competition):
    np.savez(competition / "data_1.npz", A=np.ones((40, 128, 4)), B=np.ones((40, 128, 4)))
    with pytest.raises(DataError, match=r"one array arr_0 of the shape .*found: A \(40, 128, 4\), B \(40, 128, 4\)"):
        files.read(competition)


def test_the_key_goes_before_other_arrays(competition):
    left = np.load(competition / "data_1.npz")["arr_0"]
    np.savez(competition / "data_1.npz", other=left + 1, arr_0=left)
    assert (files.read(competition).left == left).all()


@pytest.mark.parametrize("shape", [(40, 128), (40, 128, 5), (40, 64, 4), (0, 128, 4), (1, 40, 128, 4), (128, 4, 40)])
def test_a_wrong_shape_is_named(competition, shape):
    save(competition / "data_1.npz", np.ones(shape, np.float32))
    with pytest.raises(
        DataError, match=rf"data_1\.npz must hold one array arr_0.*found: arr_0 {re.escape(str(shape))}"
    ):
        files.read(competition)


def test_swapped_files_are_read_as_meant(competition):
    plain = files.read(competition)
    (competition / "data_1.npz").rename(competition / "other")
    (competition / "data_2.npz").rename(competition / "data_1.npz")
    (competition / "other").rename(competition / "data_2.npz")
    with pytest.warns(DataWarning, match=r"data_1\.npz has the shape of data_2\.npz .*read as swapped"):
        found = files.read(competition)
    assert (found.left == plain.left).all() and (found.right == plain.right).all()


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_transposed_file_is_read_as_meant(competition, name):
    plain = files.read(competition)
    save(competition / name, np.load(competition / name)["arr_0"].transpose(0, 2, 1))
    with pytest.warns(DataWarning, match=rf"{re.escape(name)} has the shape \(40, .*read as transposed"):
        found = files.read(competition)
    assert (found.left == plain.left).all() and (found.right == plain.right).all()


@pytest.mark.parametrize("kind", ["complex64", "U4", "bool"])
def test_a_wrong_dtype_is_named(competition, kind):
    save(competition / "data_2.npz", np.ones((40, 4, 128)).astype(kind))
    with pytest.raises(DataError, match=r"data_2\.npz must hold numbers \(float32\)"):
        files.read(competition)


@pytest.mark.parametrize("kind", ["float16", "float64", ">f4", "int64", "uint8"])
def test_numbers_of_other_kinds_are_brought_to_float32(competition, kind):
    right = np.arange(40 * 512).reshape(40, 4, 128) % 100
    save(competition / "data_2.npz", right.astype(kind))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = files.read(competition).right
    assert found.dtype == np.float32 and (found == right).all()
    assert ["whole numbers" in str(one.message) for one in caught] == [True] * ("int" in kind)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_gap_or_an_infinity_is_found(competition, value):
    array = np.ones((40, 4, 128))
    array[17, 2, 100] = value
    save(competition / "data_2.npz", array)
    with pytest.raises(DataError, match=r"data_2\.npz holds a gap or an inf.*first in picture 17, row 2, column 100"):
        files.read(competition)


def test_negative_numbers_are_reported_and_kept(competition):
    array = np.ones((40, 4, 128), np.float32)
    array[17, 2, 100:103] = -0.5
    save(competition / "data_2.npz", array)
    with pytest.warns(DataWarning, match=r"3 of 20480 numbers are negative, first in picture 17, row 2, col") as caught:
        assert (files.read(competition).right == array).all()
    assert len(caught) == 1


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


def test_a_single_array_is_reported(competition):
    left = np.load(competition / "data_1.npz")["arr_0"]
    with (competition / "data_1.npz").open("wb") as file:
        np.save(file, left)
    with pytest.warns(DataWarning, match="the array without name has their shape and is taken"):
        assert (files.read(competition).left == left).all()


def test_archives_of_something_else(competition):
    for name in ("data_1.npz", "train.csv"):
        with zipfile.ZipFile(competition / "data_2.npz", "w") as archive:
            archive.writestr(name, b"whatever")
        with pytest.raises(
            DataError, match=rf"data_2\.npz is an archive that holds {re.escape(name)}, no .* Unpack it"
        ):
            files.read(competition)
    (competition / "data_2.npz").write_bytes(gzip.compress(b"whatever"))
    with pytest.raises(DataError, match=r"data_2\.npz cannot be read .* it is packed by gzip\. Unpack it"):
        files.read(competition)


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


def test_the_order_of_rows_is_free_and_sources_are_sorted(tmp_path):
    truth = np.repeat(np.arange(4), 10)
    pd.DataFrame({"id": np.arange(40), "source": truth})[::-1].to_csv(tmp_path / "answers.csv", index=False)
    frame = files.submission(31 - truth)
    assert files.grade(frame, tmp_path).score == files.grade(frame.sample(frac=1, random_state=0), tmp_path).score == 1
    assert np.array_equal(files.sources(tmp_path), truth)
    assert files.sources(None) is None
