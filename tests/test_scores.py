import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neoai_utils.scores import Ladder, recovered

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
