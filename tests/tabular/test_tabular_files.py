"""The competition's files: what is read, what is refused, and the metric."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tabular import files
from neoai_utils.tabular.metric import fourth_root_mse

FEATURES = [f"feat_{i}" for i in range(9)] + ["day", "hour", "minute"]
TRAIN, TEST, SAMPLE = "train_tables.csv", "test_tables.csv", "sample_submission.csv"


def edit(path: Path, change) -> None:
    frame = pd.read_csv(path)
    frame = frame.astype(dict.fromkeys(frame.columns, object))
    frame = change(frame)
    frame.to_csv(path, index=False)


def put(row: int, column: str, value):
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[row, column] = value
        return frame

    return change


def test_reads_tables_as_written(competition: Path) -> None:
    tables = files.read(competition)
    written = pd.read_csv(competition / TRAIN)
    assert list(tables.train.columns) == list(tables.test.columns) == FEATURES
    pd.testing.assert_frame_equal(tables.train, written[FEATURES].astype("float64"))
    np.testing.assert_array_equal(tables.target, written["target"])
    np.testing.assert_array_equal(tables.test_ids, np.arange(80))
    assert tables.train.isna().to_numpy().any(), "gaps stay gaps"


def test_reads_the_real_size_within_seconds(write_competition, tmp_path: Path) -> None:
    folder = write_competition(tmp_path, train_rows=40_704, test_rows=17_400)
    start = time.perf_counter()
    tables = files.read(folder)
    assert time.perf_counter() - start < 20
    assert tables.train.shape == (40_704, 12)
    assert len(tables.test_ids) == 17_400


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        files.read(tmp_path / "nowhere")


@pytest.mark.parametrize("name", files.REQUIRED)
def test_a_missing_file_is_named_with_what_is_there(competition: Path, name: str) -> None:
    (competition / name).rename(competition / "stray.csv")
    with pytest.raises(DataError, match=name) as caught:
        files.read(competition)
    assert "stray.csv" in str(caught.value)


@pytest.mark.parametrize("name", files.REQUIRED)
def test_an_empty_file_is_refused(competition: Path, name: str) -> None:
    header = (competition / name).read_text().splitlines()[0]
    for content in ("", header + "\n"):
        (competition / name).write_text(content)
        with pytest.raises(DataError, match=name):
            files.read(competition)


@pytest.mark.parametrize(
    ("name", "column"), [(TRAIN, "feat_4"), (TRAIN, "minute"), (TRAIN, "target"), (TEST, "id"), (SAMPLE, "target")]
)
def test_a_missing_column_is_named_with_what_was_found(competition: Path, name: str, column: str) -> None:
    edit(competition / name, lambda frame: frame.rename(columns={column: "renamed"}))
    with pytest.raises(DataError, match=f"'{column}'") as caught:
        files.read(competition)
    assert "renamed" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "column", "value", "words"),
    [
        (TRAIN, "feat_3", "high", "numbers"),
        (TRAIN, "feat_3", "inf", "finite"),
        (TEST, "feat_0", "-inf", "finite"),
        (TRAIN, "target", np.nan, "no value"),
        (TRAIN, "target", "inf", "finite"),
        (TRAIN, "target", "lots", "numbers"),
        (TEST, "id", np.nan, "no value"),
        (TEST, "id", 1.5, "whole numbers"),
        (TEST, "id", 7, "more than once"),
        (TRAIN, "hour", 24, "0 to 23"),
        (TRAIN, "minute", 2.5, "0 to 59"),
        (TEST, "day", 0, "1 to"),
        (SAMPLE, "id", 7, "more than once"),
        (SAMPLE, "id", 4444, "ids of"),
    ],
)
def test_a_bad_value_is_refused_and_named(competition: Path, name: str, column: str, value, words: str) -> None:
    edit(competition / name, put(5, column, value))
    with pytest.raises(DataError, match=words) as caught:
        files.read(competition)
    assert name in str(caught.value)


def good(competition: Path) -> pd.DataFrame:
    return files.submission(files.read(competition).test_ids, np.linspace(200, 800, 80))


def test_a_good_submission_passes_in_any_order_and_survives_the_file(competition: Path, tmp_path: Path) -> None:
    frame = good(competition)
    files.check_submission(frame, competition)
    files.check_submission(frame.sample(frac=1, random_state=0), competition)
    frame.to_csv(tmp_path / "submission.csv", index=False)
    pd.testing.assert_frame_equal(files.parse_submission(tmp_path / "submission.csv"), frame)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.iloc[1:], "misses id 0"),
        (lambda f: pd.concat([f, pd.DataFrame({"id": [80], "target": [1.0]})]), "unknown id 80"),
        (lambda f: pd.concat([f, f.iloc[[3]]]), "id 3 twice"),
        (lambda f: f.assign(target=f["target"].where(f["id"] != 4)), "no target in row 5"),
        (lambda f: f.assign(target=f["target"].where(f["id"] != 4, np.inf)), "id 4 is infinite"),
        (lambda f: f.assign(target="many"), "the target must be a number, not 'many'"),
        (lambda f: f.rename(columns={"target": "prediction"}), "columns"),
        (lambda f: f.assign(extra=1), "columns"),
    ],
)
def test_a_bad_submission_is_refused(competition: Path, change, words: str) -> None:
    with pytest.raises(SubmissionError, match=words):
        files.check_submission(change(good(competition)), competition)


def test_a_submission_needs_one_prediction_for_each_id() -> None:
    with pytest.raises(SubmissionError, match="shape"):
        files.submission(np.arange(4), np.ones(3))
    with pytest.raises(SubmissionError, match="shape"):
        files.submission(np.arange(4), np.ones((4, 1)))


def test_the_metric_on_numbers_done_by_hand(tmp_path: Path) -> None:
    assert fourth_root_mse([1, 2, 3, 4], [1, 2, 3, 12]) == pytest.approx(2.0)  # MSE 16
    assert fourth_root_mse([0, 0], [1, 100], weight=[1, 0]) == pytest.approx(1.0)
    pd.DataFrame({"id": [0, 1], "target": [10.0, 20.0]}).to_csv(tmp_path / files.ANSWERS, index=False)
    shuffled = pd.DataFrame({"id": [1, 0], "target": [21.0, 9.0]})
    grades = files.grade(shuffled, tmp_path)
    assert next(iter(grades)) == "fourth_root_mse"
    assert grades == pytest.approx({"fourth_root_mse": 1.0, "rmse": 1.0, "mae": 1.0})


@given(arrays(float, 20, elements=st.floats(-1e3, 1e3)), st.floats(0.1, 10))
def test_the_metric_grows_with_the_root_of_the_error(error: np.ndarray, factor: float) -> None:
    one, more = (fourth_root_mse(np.zeros(20), e) for e in (error, factor * error))
    assert more == pytest.approx(np.sqrt(factor) * one, abs=1e-9)


def test_reading_needs_no_answers(competition: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(competition, tmp_path / "alone")
    assert not list(alone.glob("*targets*"))
    files.read(alone)
