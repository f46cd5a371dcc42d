"""The miniature has the competition's form, and the same seed gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from neoai_utils.continual import files, miniature
from neoai_utils.continual.miniature import drawings


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, float]]:
    data, answers = (tmp_path_factory.mktemp(name) for name in ("data", "answers"))
    return data, answers, miniature.build(miniature.Recipe(seed=3), data, answers)


def test_the_files_have_the_competitions_form(built: tuple[Path, Path, dict[str, float]]) -> None:
    data, answers, _ = built
    given = files.read(data)
    assert given.weak.tolist() == list(drawings.WEAK)
    assert len(given.train_paths) == 10 * 23
    assert len(given.test_paths) == 24 * 102
    assert sorted(path.name for path in data.iterdir()) == sorted([*files.REQUIRED, "settings.json"])
    assert [path.name for path in answers.iterdir()] == [files.ANSWERS]


def test_the_ceiling_is_high_on_both_kinds_of_classes(built: tuple[Path, Path, dict[str, float]]) -> None:
    facts = built[2]
    assert 0.75 < facts["ceiling"] < 0.95
    assert abs(facts["ceiling_old"] - facts["ceiling_weak"]) < 0.1


def test_the_answers_are_graded_as_perfect(built: tuple[Path, Path, dict[str, float]]) -> None:
    data, answers, _ = built
    lines = (answers / files.ANSWERS).read_text().splitlines()[1:]
    classes = {name: int(number) for name, number, _ in (line.split(",") for line in lines)}
    ids = files.read(data).test_ids
    frame = files.check_submission(files.submission(ids, [classes[name] for name in ids]), data)
    assert files.grade(frame, answers).score == 1.0
