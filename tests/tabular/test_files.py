"""The competition's files: what is read, refused, submitted and graded."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neoai_utils.errors import DataError, DataWarning, SubmissionError
from neoai_utils.tabular import files

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


def warnings_of(caught) -> list[str]:
    return [str(warning.message) for warning in caught if warning.category is DataWarning]


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
def test_a_missing_column_is_named_with_what_is_there(competition: Path, name: str, column: str) -> None:
    edit(competition / name, lambda frame: frame.rename(columns={column: "renamed"}))
    with pytest.raises(DataError, match=f"'{column}'") as caught:
        files.read(competition)
    assert "renamed" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "column", "value", "words"),
    [
        (TRAIN, "feat_3", "high", "numbers"),
        (TRAIN, "target", np.nan, "no value"),
        (TRAIN, "target", "inf", "infinite in data row 6"),
        (TRAIN, "target", "lots", "numbers"),
        (TEST, "id", np.nan, "no value"),
        (TEST, "id", 7, "more than once"),
        (SAMPLE, "id", 7, "more than once"),
        (SAMPLE, "id", 4444, "ids of"),
    ],
)
def test_a_bad_value_is_refused_and_named(competition: Path, name: str, column: str, value, words: str) -> None:
    edit(competition / name, put(5, column, value))
    with pytest.raises(DataError, match=words) as caught:
        files.read(competition)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "column", "value", "words", "read"),
    [
        (TRAIN, "feat_3", "inf", "data row 6: feat_3 is infinite; taken as missing", {"feat_3": np.nan}),
        (TEST, "feat_0", "-inf", "data row 6: feat_0 is infinite; taken as missing", {"feat_0": np.nan}),
        (TRAIN, "minute", 2.5, "data row 6: minute is no whole number; its fraction is cut off", {"minute": 2}),
        (TRAIN, "minute", 60, "data row 6: minute 60 is read as minute 0 of the next hour", {"minute": 0, "hour": 6}),
        (TEST, "hour", 24, "data row 6: hour 24 is read as hour 0 of the next day", {"hour": 0, "day": 2}),
        (TEST, "hour", -1, "data row 6: hour is not from 0 to 23; taken as missing", {"hour": np.nan}),
        (TRAIN, "minute", 99, "data row 6: minute is not from 0 to 59; taken as missing", {"minute": np.nan}),
        (TRAIN, "day", 400, "data row 6: day is not from 0 to 366", {"day": 400}),
        (TEST, "day", 20140131, "data row 6: day is not from 0 to 366", {"day": 20140131}),
    ],
)
def test_unusual_values_give_a_warning_and_are_read(
    competition: Path, name: str, column: str, value, words: str, read: dict[str, float]
) -> None:
    for part in ("day", "hour", "minute"):
        edit(competition / name, put(5, part, {"day": 1, "hour": 5, "minute": 30}[part]))
    edit(competition / name, put(5, column, value))
    with pytest.warns(DataWarning, match=words) as caught:
        tables = files.read(competition)
    (message,) = warnings_of(caught)
    assert name in message
    row = (tables.train if name == TRAIN else tables.test).iloc[5]
    np.testing.assert_array_equal(row[list(read)], list(read.values()))


def test_many_like_values_give_one_warning(competition: Path) -> None:
    edit(
        competition / TRAIN, lambda frame: frame.assign(minute=frame["minute"].map(lambda minute: float(minute) + 0.5))
    )
    with pytest.warns(DataWarning, match=r"data row \d+ and \d\d\d more: minute is no whole") as caught:
        assert (files.read(competition).train["minute"].dropna() % 1 == 0).all()
    assert len(warnings_of(caught)) == 1


def test_a_day_may_begin_at_0(competition: Path, recwarn: pytest.WarningsRecorder) -> None:
    edit(competition / TRAIN, lambda frame: frame.assign(day=frame["day"].map(lambda day: float(day) - 1)))
    assert files.read(competition).train["day"].min() == 0
    assert not warnings_of(recwarn)


def test_a_clock_in_another_unit_is_refused(competition: Path) -> None:
    edit(competition / TRAIN, lambda frame: frame.assign(minute=1000))
    with pytest.raises(DataError, match="most values of the column 'minute' are not from 0 to 59; the first is 1000"):
        files.read(competition)


@pytest.mark.parametrize(("part", "value"), [("day", 1), ("hour", 0), ("minute", 0)])
def test_a_part_of_the_clock_that_is_never_given(competition: Path, part: str, value: int) -> None:
    edit(competition / TEST, lambda frame: frame.assign(**{part: np.nan}))
    assert files.read(competition).test[part].isna().all(), "the training rows still tell it"
    edit(competition / TRAIN, lambda frame: frame.assign(**{part: np.nan}))
    with pytest.warns(DataWarning, match=f"the column {part} is empty; taken as {value}"):
        tables = files.read(competition)
    assert (tables.train[part] == value).all()
    assert (tables.test[part] == value).all()


def test_the_sample_may_be_absent(competition: Path) -> None:
    (competition / SAMPLE).unlink()
    assert len(files.read(competition).test_ids) == 80


@pytest.mark.parametrize(
    "ids", [[f"row-{i:03}" for i in range(80)], [f"{i:04}" for i in range(80)], [*"NA", *range(78)]]
)
def test_text_ids_come_back_as_they_were_in_their_order(competition: Path, tmp_path: Path, ids: list) -> None:
    ids = list(np.random.default_rng(0).permutation(np.array(ids, dtype=object)))
    edit(competition / TEST, lambda frame: frame.assign(id=ids))
    edit(competition / SAMPLE, lambda frame: frame.assign(id=ids[::-1]))
    frame = files.check_submission(files.submission(files.read(competition).test_ids, np.arange(80.0)), competition)
    frame.to_csv(tmp_path / "submission.csv", index=False)
    rows = (tmp_path / "submission.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == [str(name) for name in ids]
    assert list(files.parse_submission(tmp_path / "submission.csv")["id"]) == list(frame["id"])


def test_further_columns_are_left_out(competition: Path) -> None:
    edit(competition / TRAIN, lambda frame: frame.assign(id=range(len(frame)), station="north"))
    edit(competition / TEST, lambda frame: frame.assign(target=0))
    with pytest.warns(DataWarning) as caught:
        tables = files.read(competition)
    messages = " ".join(warnings_of(caught))
    assert "train_tables.csv: the columns id, station are no features" in messages
    assert "test_tables.csv: the columns target are no features" in messages
    assert list(tables.train.columns) == list(tables.test.columns) == FEATURES


@pytest.mark.parametrize("count", [4, 8, 12])
def test_another_number_of_sensors_gives_a_warning_and_is_used(competition: Path, count: int) -> None:
    names = [f"feat_{i}" for i in range(count)]
    for name in (TRAIN, TEST):
        edit(
            competition / name, lambda frame: frame.assign(**dict.fromkeys(names, 1.0)).drop(columns=FEATURES[count:9])
        )
    with pytest.warns(DataWarning, match=f"have the sensors {', '.join(names)}, not"):
        tables = files.read(competition)
    assert tables.sensors == tuple(names)
    assert list(tables.test.columns) == [*names, "day", "hour", "minute"]


def test_a_sensor_of_one_table_only_is_named(competition: Path) -> None:
    edit(competition / TEST, lambda frame: frame.assign(feat_9=1.0))
    with (
        pytest.warns(DataWarning, match="feat_9"),
        pytest.raises(DataError, match=r"train_tables.csv has no column 'feat_9'"),
    ):
        files.read(competition)


def test_columns_with_other_names_are_named(competition: Path) -> None:
    for name in (TRAIN, TEST):
        edit(competition / name, lambda frame: frame.rename(columns=lambda c: c.replace("feat_", "sensor ")))
    with pytest.raises(DataError, match="no column 'feat_0'; found: sensor 0, sensor 1"):
        files.read(competition)


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


def test_a_submission_is_graded_in_any_order(tmp_path: Path) -> None:
    pd.DataFrame({"id": [0, 1], "target": [10.0, 20.0]}).to_csv(tmp_path / files.ANSWERS, index=False)
    grades = files.grade(pd.DataFrame({"id": [1, 0], "target": [21.0, 9.0]}), tmp_path)
    assert grades.score == pytest.approx(1.0)
    assert grades.parts == pytest.approx({"rmse": 1.0, "mae": 1.0})


def test_reading_needs_no_answers(competition: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(competition, tmp_path / "alone")
    assert not list(alone.glob("*targets*"))
    files.read(alone)
