from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.tables import check_rows, read_csv, require_paths

COLUMNS = {"id": "integer", "value": "number", "text": "text"}
SUBMISSION = {"id": "integer", "target": "number"}


def write(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_table_gets_its_types(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path, "id,value,text,more\n3,1,007,x\n4,2.5,b,y\n"), COLUMNS, id_column="id")
    assert frame["id"].dtype == "int64"
    assert frame["value"].tolist() == [1.0, 2.5]
    assert frame["text"].tolist() == ["007", "b"]
    assert frame["more"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "cannot be read as a CSV"),
        ("id,value,text\n", "no rows"),
        ("id,text\n1,a\n", "no column 'value'; found: id, text"),
        ("id,value,text\n1,high,a\n", "'value' must hold numbers; data row 1 holds 'high'"),
        ("id,value,text\n1,2,a\n1.5,2,a\n", "'id' must hold whole numbers; data row 2 holds 1.5"),
        ("id,value,text\n,2,a\n", "'id' has no value in data row 1"),
        ("id,value,text\n1,2,\n", "'text' has no value in data row 1"),
        ("id,value,text\n1,2,a\n1,3,b\n", "the id 1 appears more than once"),
        ('id,value,text\n1,2,"a\n', "cannot be read as a CSV"),
    ],
)
def test_a_bad_table_is_refused_by_name(tmp_path: Path, content: str, message: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=message) as caught:
        read_csv(path, COLUMNS, id_column="id")
    assert "table.csv" in str(caught.value)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent.csv does not exist"):
        read_csv(tmp_path / "absent.csv", COLUMNS)


def test_gaps_are_allowed_where_said(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path, "id,value,text\n1,,a\n2,3,b\n"), COLUMNS, allow_missing=("value",))
    assert frame["value"].isna().tolist() == [True, False]


def test_a_missing_file_is_named_with_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "tset.csv").write_text("")
    with pytest.raises(DataError, match=r"has no test.csv; found there: tset.csv"):
        require_paths(tmp_path, ["test.csv"])
    with pytest.raises(DataError, match="does not exist"):
        require_paths(tmp_path / "nowhere", ["test.csv"])


@given(st.lists(st.integers(), min_size=1, max_size=30, unique=True), st.randoms())
def test_any_order_of_the_right_rows_is_accepted(ids: list[int], shuffler) -> None:
    shuffled = list(ids)
    shuffler.shuffle(shuffled)
    check_rows(pd.DataFrame({"id": shuffled, "target": 1.0}), SUBMISSION, ids)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"id": [1, 2], "target": [0, 0]}, "misses id 3"),
        ({"id": [1, 2, 3, 4], "target": [0] * 4}, "unknown id 4"),
        ({"id": [1, 2, 2], "target": [0] * 3}, "id 2 twice"),
        ({"id": [1, 2, 3], "target": [0, None, 0]}, "no target in row 2"),
        ({"id": [1, 2, 3], "label": [0] * 3}, "has the columns id, target; this one has id, label"),
        ({"target": [0] * 3, "id": [1, 2, 3]}, "has the columns id, target"),
    ],
)
def test_wrong_rows_are_refused(frame: dict, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        check_rows(pd.DataFrame(frame), SUBMISSION, [1, 2, 3])
