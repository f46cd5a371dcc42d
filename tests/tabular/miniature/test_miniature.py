"""The generated table: the competition's form, its measured facts, and the oracle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neoai_utils.tabular import files, miniature
from neoai_utils.tabular.clock import minutes_of
from neoai_utils.tabular.smoothing import explained_by_time


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, float]]:
    data, answers = (tmp_path_factory.mktemp(name) for name in ("data", "answers"))
    return data, answers, miniature.build(miniature.Recipe(seed=0), data, answers)


def test_the_files_have_the_competitions_form(built) -> None:
    data, answers, facts = built
    assert sorted(p.name for p in data.iterdir()) == sorted([*files.REQUIRED, files.SAMPLE])
    train, test = pd.read_csv(data / files.TRAIN), pd.read_csv(data / files.TEST)
    assert list(train.columns) == [*files.FEATURES, "target"]
    assert list(test.columns) == [*files.FEATURES, "id"]
    assert (train[list(files.FEATURES)].dtypes == "float64").all()
    assert len(train) == facts["train_rows"] == pytest.approx(40_704, rel=0.01)
    assert 15_000 < len(test) < 18_000
    assert [p.name for p in answers.iterdir()] == [files.ANSWERS]


def test_the_measured_facts_of_the_real_table_are_near(built) -> None:
    tables = files.read(built[0])
    gaps = tables.train.isna().mean()
    real = [0.0888, 0.0855, 0.1101, 0.1126, 0.0885, 0.1137, 0.1082, 0.1165, 0.1056, 0.1143, 0.1050, 0.0867]
    assert np.abs(gaps - real).max() < 0.006
    assert tables.train.isna().corrwith(pd.Series(tables.target)).abs().max() < 0.02, "gaps carry no message"
    cells = tables.train.dropna(subset=["day", "hour"]).groupby(["day", "hour"]).size()
    assert len(cells) == 39
    assert (cells.index[0], cells.index[-1]) == ((1.0, 3.0), (2.0, 17.0))
    counts = np.histogram(np.log(tables.target), np.linspace(4.92, 6.76, 11))[0]
    assert counts[-2:].sum() / counts.sum() == pytest.approx(0.84, abs=0.04)
    assert 0.005 < counts[:4].sum() / counts.sum() < 0.01
    assert tables.train["feat_1"].fillna(tables.train["feat_1"].median()).corr(pd.Series(np.log(tables.target))) > 0.9
    assert tables.train["feat_1"].std() == pytest.approx(352, rel=0.05)
    assert tables.test["feat_1"].std() == pytest.approx(447, rel=0.05)


def test_clean_sensors_noise_and_the_unit_that_stops(built) -> None:
    train = files.read(built[0]).train
    clock = minutes_of(train)
    share = {name: explained_by_time(train[name].to_numpy(), clock) for name in files.SENSORS}
    assert abs(share["feat_2"]) < 0.02
    assert min(share["feat_1"], share["feat_8"]) > 0.95
    stopped = train["feat_6"] == 0
    assert 0.005 < stopped.mean() < 0.03
    assert (train.loc[stopped, "feat_7"].dropna() == 0).all(), "the unit's sensors stop together"
    assert train.loc[stopped, "feat_1"].min() > 1000, "the clean ones do not"


def test_the_test_table_is_richer_in_late_rows(built) -> None:
    tables = files.read(built[0])
    late = [np.nanmean(minutes_of(t)[np.isfinite(minutes_of(t))] > 34 * 60) for t in (tables.train, tables.test)]
    assert late[1] > 1.5 * late[0]


def test_the_oracle_is_left_with_the_noise_of_a_row(built) -> None:
    noise = miniature.Recipe().target_noise
    assert built[2]["ceiling"] == pytest.approx(np.sqrt(noise), rel=0.03)


def test_same_seed_same_bytes_other_seed_other_table(tmp_path: Path) -> None:
    small = {"rows_per_hour": 40}
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        data, answers = tmp_path / name / "data", tmp_path / name / "answers"
        data.mkdir(parents=True)
        answers.mkdir()
        miniature.build(miniature.Recipe(seed=seed, **small), data, answers)
        contents.append([(data / f).read_bytes() for f in files.REQUIRED] + [(answers / files.ANSWERS).read_bytes()])
    assert contents[0] == contents[1]
    assert contents[0][0] != contents[2][0]


def test_answers_are_graded_as_perfect(built) -> None:
    data, answers, _ = built
    truth = pd.read_csv(answers / files.ANSWERS)
    files.check_submission(truth, data)
    assert files.grade(truth, answers).score == 0
