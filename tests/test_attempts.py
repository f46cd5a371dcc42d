"""One's own attempts: graded, kept, and shown beside the known solutions."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from neoai_utils.attempts import FILE, Attempts
from neoai_utils.errors import DataError, ParameterError, SubmissionError
from neoai_utils.workspace import Workspace, open_workspace

KNOWN = {"baseline": 0.2, "published": 0.4, "ours": 0.9, "ceiling": 1.0}


@pytest.fixture
def opened(fake_task, tmp_path: Path) -> Workspace:
    return open_workspace("task5", out_dir=tmp_path / "out")


def answer(right: int) -> pd.DataFrame:
    """Return a submission with so many of ten targets right."""
    return pd.DataFrame({"id": range(10), "target": [i if i < right else -1.0 for i in range(10)]})


def test_the_table_grows_and_is_sorted_by_the_score(opened, tmp_path: Path, capsys) -> None:
    mine = Attempts(opened, KNOWN, tmp_path)
    mine.add("first idea", answer(3))
    table = mine.add("second, with a comma", answer(6))
    assert capsys.readouterr().out.splitlines()[0].startswith("first idea: score 0.300")
    assert list(table.index) == ["ceiling", "ours", "second, with a comma", "published", "first idea", "baseline"]
    assert table.loc["second, with a comma"].tolist() == ["0.600", "50%", "yours"]
    assert table.loc["ours", "whose"] == "known"


def test_attempts_are_there_in_the_next_session(opened, tmp_path: Path) -> None:
    first = Attempts(opened, KNOWN, tmp_path)
    first.add('an "idea", again', answer(3))
    first.add('an "idea", again', answer(4))
    again = Attempts(opened, KNOWN, tmp_path).table()
    assert again.loc['an "idea", again', "accuracy"] == "0.400"
    assert len(again) == 5


def test_the_best_comes_first_where_lower_is_better(fake_task, tmp_path: Path) -> None:
    opened = open_workspace("task1", out_dir=tmp_path / "out")
    table = Attempts(opened, {"baseline": 3.0, "ceiling": 0.0}, tmp_path).add("mine", answer(6))
    assert list(table.index) == ["ceiling", "mine", "baseline"]
    assert table.loc["mine", "recovered"] == "80%"


def test_the_name_of_a_known_solution_is_refused(opened, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="'ours' is a known solution"):
        Attempts(opened, KNOWN, tmp_path).add("ours", answer(3))


def test_a_file_that_a_spreadsheet_saved_is_read(opened, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xef\xbb\xbfattempt,score,error\r\nmine,0.6,\r\n")
    assert Attempts(opened, KNOWN, tmp_path).table().loc["mine", "recovered"] == "50%"


def test_a_wrong_submission_is_not_kept(opened, tmp_path: Path) -> None:
    mine = Attempts(opened, KNOWN, tmp_path)
    with pytest.raises(SubmissionError):
        mine.add("wrong", answer(3).drop(columns="target"))
    assert not (tmp_path / FILE).exists()


def test_the_competition_s_own_files_have_no_answers(fake_task, tmp_path: Path) -> None:
    answer(0).drop(columns="target").to_csv(tmp_path / "test.csv", index=False)
    mine = Attempts(open_workspace("task5", tmp_path, tmp_path / "out"), KNOWN, tmp_path)
    with pytest.raises(ParameterError, match="the competition's own files"):
        mine.add("idea", answer(3))


@pytest.mark.parametrize("text", ["other,columns\n1,2\n", "attempt,score,error\na,high,\n"])
def test_a_file_that_is_no_table_of_attempts_is_named(opened, tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DataError, match=r"attempts\.csv is no table of attempts"):
        Attempts(opened, KNOWN, tmp_path)
