import pytest

from neoai_utils import competitions
from neoai_utils.competitions import COMPETITIONS
from neoai_utils.errors import UnknownTaskError


def test_there_are_eight_in_order() -> None:
    assert list(COMPETITIONS) == [f"task{i}" for i in range(1, 9)]
    assert [c.number for c in COMPETITIONS.values()] == list(range(1, 9))
    assert len({c.slug for c in COMPETITIONS.values()}) == len({c.technique for c in COMPETITIONS.values()}) == 8


def test_scores_on_record_point_the_right_way() -> None:
    for facts in COMPETITIONS.values():
        sign = 1 if facts.higher_is_better else -1
        assert sign * facts.best > sign * facts.baseline
        assert facts.published is None or sign * facts.published > sign * facts.baseline


@pytest.mark.parametrize("name", ["task7", "7", 7, " Task7 "])
def test_a_task_answers_to_its_number(name) -> None:
    assert competitions.find(name).title == "Cuties segmentation"


@pytest.mark.parametrize(("name", "hint"), [("tsak7", "did you mean task7"), ("9", "unknown task '9'"), ("", "known")])
def test_an_unknown_task_gets_a_suggestion(name: str, hint: str) -> None:
    with pytest.raises(UnknownTaskError, match=hint):
        competitions.find(name)


def test_needs_name_packages_that_kaggle_lacks() -> None:
    for facts in COMPETITIONS.values():
        named = {*facts.needs.optional, *facts.needs.unused, *facts.needs.conditions}
        assert named <= competitions.ABSENT
        for condition in facts.needs.conditions.values():
            compile(condition, facts.task, "eval")
