"""Submissions are checked, written and read back, whatever types their columns come in."""

import csv
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.errors import DataError, SubmissionError
from neoai_utils.submissions import check_rows, check_same, read_submission, write_submission

SUBMISSION = {"id": "integer", "target": "number"}


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


@pytest.mark.parametrize("ids", [[0, 1], [1, 2**53 + 1], ["a", "1"], ["01", "2"], ["None", "1"], ["1", "9" * 30]])
def test_ids_of_a_file_are_accepted_as_they_were_read(ids: list) -> None:
    frame = pd.DataFrame({"id": ids[::-1], "target": [1.0, 2.0]})
    assert check_rows(frame, {"id": "id", "target": "number"}, ids)["id"].tolist() == ids[::-1]


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


@pytest.mark.parametrize("content", [b"id;target\n1;2\n", "id,target\n1,2\n".encode("utf-16"), b"id,target\n"])
def test_a_file_in_another_form_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "submission.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"submission\.csv (has|is)"):
        read_submission(tmp_path / "submission.csv", SUBMISSION)
