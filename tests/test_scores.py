import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.scores import Grades, Ladder, bootstrap, recovered

numbers = st.floats(-1e3, 1e3)


@given(numbers, numbers.filter(lambda x: abs(x) > 1e-3))
def test_the_ends_of_the_scale(baseline: float, span: float) -> None:
    ceiling = baseline + span
    assert recovered(baseline, baseline, ceiling) == 0
    assert recovered(ceiling, baseline, ceiling) == pytest.approx(1)


def test_the_competition_s_own_numbers() -> None:
    # task 1, an error: baseline 3.14, published 2.95, best 2.24; task 7, where the published beat the board's best
    assert recovered(2.95, 3.14, 2.24) == pytest.approx(0.19 / 0.90)
    assert recovered(0.78, 0.36, 0.73) > 1


@pytest.mark.parametrize("unknown", [(None, 0.1, 1.0), (0.5, None, 1.0), (0.5, 0.1, None), (0.5, 1.0, 1.0)])
def test_unknown_parts_give_none(unknown: tuple) -> None:
    assert recovered(*unknown) is None


def test_a_row_run_twice_stands_once() -> None:
    ladder = Ladder("accuracy", higher_is_better=True)
    ladder.add("zeros", score=0.3, role="baseline")
    ladder.add("kNN", score=np.float32(0.5))
    ladder.add("kNN", score=np.float64(0.6), macro_f1=0.55)
    ladder.add("other zeros", score=0.35, role="baseline")
    assert [row.name for row in ladder] == ["kNN", "other zeros"]
    assert ladder.by_role("baseline").score == 0.35
    assert ladder.by_role("ours") is None
    json.dumps([row.score for row in ladder])  # NumPy numbers were made plain


def test_the_table_shows_what_is_known() -> None:
    ladder = Ladder("error <best>", higher_is_better=False)
    assert "no rows" in ladder._repr_html_()
    ladder.add("a & b", score=2.0, seconds=1.25, role="ours")
    ladder.add("c", validation=3.0)
    shown = ladder._repr_html_()
    assert "a &amp; b (ours)" in shown
    assert "error &lt;best&gt; (lower is better)" in shown
    assert "nan" not in shown.lower()
    assert list(ladder.frame().columns) == ["name", "score", "validation", "seconds", "role"]


@pytest.mark.parametrize(("items", "share"), [(400, 0.5), (1000, 0.9)])
def test_the_error_of_an_accuracy_is_that_of_the_textbook(items: int, share: float) -> None:
    """sqrt(p (1 - p) / n); a hundred draws know it to about 7 %."""
    correct = np.arange(items) < share * items
    draws = bootstrap(lambda counts: float(np.average(correct, weights=counts)), items)
    assert Grades(share, draws=draws).error == pytest.approx(np.sqrt(share * (1 - share) / items), rel=0.25)
    assert (draws == bootstrap(lambda counts: float(np.average(correct, weights=counts)), items)).all()


def test_a_score_that_no_item_changes_has_no_error() -> None:
    assert Grades(1.0, draws=bootstrap(lambda counts: 1.0, 7)).error == 0
    assert Grades(1.0).error is None


def test_errors_stand_beside_the_figures() -> None:
    assert str(Grades(0.5, {"f1": 0.25}, np.array([0.5, 0.5 + 0.012 * 2**0.5]))) == "score 0.500 ± 0.012, f1 0.250"
    assert str(Grades(0.5)) == "score 0.500"
    ladder = Ladder("accuracy", higher_is_better=True)
    ladder.add("kNN", score=0.5, error=0.012, validation=0.6)
    shown = ladder._repr_html_()
    assert "<td>0.500 ± 0.012</td>" in shown
    assert "<td>0.600</td>" in shown
    assert "error" not in shown
