from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.errors import DataError, DataWarning
from neoai_utils.tables import read_csv, require_paths

COLUMNS = {"id": "integer", "value": "number", "text": "text"}


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


# ------------------------------------------------------------------------------------------ words, gaps and numbers


def test_words_that_look_empty_are_words_and_only_in_numbers_gaps(tmp_path: Path) -> None:
    words = ["None", "null", "N/A", "nan", "NA", "NULL", "<NA>", "-", " "]
    path = write(tmp_path, "id,value,text\n" + "".join(f"{i},{w.strip()},{w}\n" for i, w in enumerate(words[:-2])))
    frame = read_csv(path, COLUMNS, allow_missing=("value",))
    assert frame["text"].tolist() == words[:-2]
    assert frame["value"].isna().all()


def test_an_empty_cell_is_a_gap_in_text(tmp_path: Path) -> None:
    frame = read_csv(write(tmp_path, 'id,text\n1,\n2,""\n3,x\n'), {"text": "text"}, allow_missing=("text",))
    assert frame["text"].isna().tolist() == [True, True, False]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_other_separators_are_read_with_a_warning(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, "id,value,text\r\n1,2.5,a\r\n".replace(",", separator))
    with pytest.warns(DataWarning, match="table.csv is separated by (semicolons|tabs|bars), not by commas; read so"):
        assert read_csv(path, COLUMNS).iloc[0].tolist() == [1, 2.5, "a"]
    with pytest.raises(DataError, match="no column 'id'"):
        read_csv(path, COLUMNS, exact=True)


def test_with_semicolons_a_comma_is_a_point(tmp_path: Path) -> None:
    with pytest.warns(DataWarning, match="semicolons"):
        frame = read_csv(write(tmp_path, "id;value;text\n1;2,5;a, b\n2;3;c\n"), COLUMNS)
    assert frame["value"].tolist() == [2.5, 3.0]
    assert frame["text"].tolist() == ["a, b", "c"]


@pytest.mark.parametrize("content", ["text\nwell, so\n", "text\na\nwell, so\n", "id,text\n1,well, so\n"])
def test_text_with_commas_must_be_quoted(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="cannot be read as a CSV table"):
        read_csv(write(tmp_path, content), {"text": "text"})


def test_a_line_may_end_with_a_separator(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path, "id,text\n1,a,\n2,b,\n"), {"text": "text"})["text"].tolist() == ["a", "b"]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_to_the_last_digit(tmp_path_factory: pytest.TempPathFactory, number: float) -> None:
    path = write(tmp_path_factory.getbasetemp(), f"value\n{number!r}\n")
    assert read_csv(path, {"value": "number"})["value"].tolist() == [number]


# ------------------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [
        ("7", 7), ("-7", -7), ("7.0", 7), ("1e3", 1000), ("007", 7), (" 7 ", 7), (str(2**53 + 1), 2**53 + 1),
        (f"{2**53 + 1}.0", 2**53 + 1), (str(2**63 - 1), 2**63 - 1),
    ],
)  # fmt: skip
def test_whole_numbers_are_read_exactly(tmp_path: Path, spelled: str, meant: int) -> None:
    path = write(tmp_path, f"id\n0\n{spelled}\n")
    assert read_csv(path, {"id": "integer"}, id_column="id")["id"].tolist() == [0, meant]


@pytest.mark.parametrize("spelled", ["7.5", "seven", "True", "1_000", "1e999999999", str(2**63), "inf", "٣"])
def test_what_is_no_whole_number_is_named(tmp_path: Path, spelled: str) -> None:
    with pytest.raises(DataError, match=rf"'id' must hold whole numbers; data row 2 holds '?{spelled}"):
        read_csv(write(tmp_path, f"id\n0\n{spelled}\n"), {"id": "integer"})


@pytest.mark.parametrize(
    ("spelled", "ids"),
    [
        (("0", "1"), [0, 1]), (("0.0", "1.0"), [0, 1]), (("1", str(2**53 + 1)), [1, 2**53 + 1]),
        (("a", "1"), ["a", "1"]), (("01", "2"), ["01", "2"]), (("None", "1"), ["None", "1"]),
        (("1", "9" * 30), ["1", "9" * 30]),
    ],
)  # fmt: skip
def test_an_id_is_a_whole_number_if_all_are_else_text(tmp_path: Path, spelled: tuple, ids: list) -> None:
    path = write(tmp_path, "id\n" + "\n".join(spelled) + "\n")
    assert read_csv(path, {"id": "id"}, id_column="id")["id"].tolist() == ids
