import csv
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.errors import DataError, DataWarning, SubmissionError
from neoai_utils.tables import check_rows, check_same, read_csv, read_submission, require_paths, write_submission

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
        read_submission(path, COLUMNS)


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
    found = read_csv(path, {"id": "id"}, id_column="id")["id"]
    assert found.tolist() == ids
    submission = check_rows(
        pd.DataFrame({"id": ids[::-1], "target": [1.0, 2.0]}), {"id": "id", "target": "number"}, found
    )
    assert submission["id"].tolist() == ids[::-1]


@pytest.mark.parametrize(
    "ids",
    [
        [2.0, 1.0, 3.0], ["2", "1", "3"], np.array([2, 1, 3], np.uint8), np.array([2, 1, 3], np.float32),
        pd.array([2, 1, 3], dtype="Int64"), pd.Categorical([2, 1, 3]), [np.int16(2), 1.0, "3"],
    ],
    ids=lambda ids: str(getattr(ids, "dtype", ids)),
)  # fmt: skip
def test_ids_become_whole_numbers_and_keep_their_order(ids: object) -> None:
    frame = pd.DataFrame({"id": ids, "target": [1.0, 2.0, 3.0]}, index=[5, 5, 9])
    found = check_rows(frame, SUBMISSION, [1, 2, 3])
    assert (found["id"].dtype, found["id"].tolist()) == (np.dtype("int64"), [2, 1, 3])
    assert found.index.tolist() == [0, 1, 2]
    assert frame.index.tolist() == [5, 5, 9], "what was given stays as it was"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("a.png", r"row 2: the id must be a whole number, not 'a.png' \(of type str\)"),
        (True, r"row 2: the id must be a whole number, not True \(of type bool\)"),
        (1.5, r"row 2: the id must be a whole number, not 1.5 \(of type float\)"),
        (2.0**53, "row 2: the id is 9007199254740992.0 .* too large for a floating-point number to be exact"),
        (np.float32(2**24), "row 2: the id is 16777216.0 .float32., too large"),
        (float("inf"), "row 2: the id"),
        ("1e3", "row 2: the id must be a whole number, not '1e3'"),
        ((1, 2), "row 2: the id must be a whole number"),
    ],
)
def test_ids_of_another_type_are_named(value: object, message: str) -> None:
    frame = pd.DataFrame({"id": pd.Series([1, value], dtype=object), "target": 0.0})
    with pytest.raises(SubmissionError, match=message):
        check_rows(frame, SUBMISSION, [1, 2])


def test_ids_that_are_text_stay_as_they_are() -> None:
    columns = {"id": "text", "class": "integer"}
    found = check_rows(pd.DataFrame({"id": ["007.png", "b"], "class": [1.0, 2.0]}), columns, ["b", "007.png"])
    assert found.to_dict("list") == {"id": ["007.png", "b"], "class": [1, 2]}
    with pytest.raises(SubmissionError, match="misses id 007"):
        check_rows(pd.DataFrame({"id": [7], "class": [1]}), columns, ["007"])


@pytest.mark.parametrize("value", ["many", True, None, [1]])
def test_numbers_of_another_type_are_named(value: object) -> None:
    frame = pd.DataFrame({"id": [1, 2], "target": pd.Series([0.5, value], dtype=object)})
    with pytest.raises(SubmissionError, match="(id 2: the target must be a number|no target in row 2)"):
        check_rows(frame, SUBMISSION, [1, 2])


@pytest.mark.parametrize("value", [Decimal(1), Fraction(1, 2), "0.5", np.float32(0.5), 1])
def test_numbers_may_come_as_objects(value: object) -> None:
    frame = pd.DataFrame({"id": [1], "target": pd.Series([value], dtype=object)})
    if isinstance(value, Decimal | Fraction):
        with pytest.raises(SubmissionError, match="id 1: the target must be a number"):
            check_rows(frame, SUBMISSION, [1])
    else:
        assert check_rows(frame, SUBMISSION, [1])["target"].tolist() == [float(value)]


# ------------------------------------------------------------------------------------------------------ the file


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)
ODD = st.sampled_from(
    ["a\rb", "a\r\nb", "\r", "nan", "None", " a ", '"', '"a"', ",", "1e3", "007", "\ufeff", "\x1a", "\x85"]
)


@given(st.lists(st.tuples(TEXTS | ODD, st.floats(allow_nan=False, allow_infinity=False)), min_size=1, max_size=5))
def test_any_submission_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.getbasetemp() / "submission.csv"
    frame = pd.DataFrame(rows, columns=["text", "value"])
    write_submission(frame, path)
    check_same(frame, read_submission(path, {"text": "text", "value": "number"}))
    assert len(pd.read_csv(path, keep_default_na=False)) == len(frame), "another reader finds as many rows"


def test_plain_text_is_not_quoted(tmp_path: Path) -> None:
    write_submission(pd.DataFrame({"id": [1], "text": ["a b"]}), tmp_path / "plain.csv")
    assert (tmp_path / "plain.csv").read_bytes() == b"id,text\n1,a b\n"


def test_all_text_is_quoted_where_one_has_a_bare_carriage_return(tmp_path: Path, monkeypatch) -> None:
    write_submission(pd.DataFrame({"id": [1, 2], "text": ["a\rb", "c"]}), tmp_path / "cr.csv")
    assert (tmp_path / "cr.csv").read_bytes() == b'"id","text"\n1,"a\rb"\n2,"c"\n'
    assert csv.QUOTE_NONNUMERIC  # every version of Python writes these bytes


@pytest.mark.parametrize("sign", ["\0", "\ud800"])
def test_what_no_file_keeps_is_refused_before_it_is_written(tmp_path: Path, sign: str) -> None:
    with pytest.raises(SubmissionError, match=r"text in row 2 holds the character .* Take it out: text\.replace"):
        write_submission(pd.DataFrame({"id": [1, 2], "text": ["a", f"b{sign}"]}, dtype=object), tmp_path / "lost.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("back", "message"),
    [
        ({"id": [1], "text": ["a"]}, "written with 2 rows of 2 columns and read back with 1 of 2"),
        ({"id": [1, 2], "text": ["a", "c"]}, "does not keep the text of row 2: 'b' was written, 'c' read back"),
        ({"id": [1, 3], "text": ["a", "b"]}, "does not keep the id of row 2: 2 was written, 3 read back"),
    ],
)
def test_a_file_that_differs_is_refused(back: dict, message: str) -> None:
    with pytest.raises(SubmissionError, match=message):
        check_same(pd.DataFrame({"id": [1, 2], "text": ["a", "b"]}), pd.DataFrame(back))


def test_single_precision_is_kept_as_such(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1], "target": np.array([0.1], np.float32)})
    write_submission(frame, tmp_path / "single.csv")
    check_same(frame, read_submission(tmp_path / "single.csv", SUBMISSION))
