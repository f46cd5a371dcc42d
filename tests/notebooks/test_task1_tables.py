"""Tables as they really come go through the whole notebook: hourly years, single days, constants, text ids, noise."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from neoai_utils.commands import notebooks
from neoai_utils.commands import run as runs
from neoai_utils.tabular import files

SENSORS = [f"feat_{i}" for i in range(9)]


@dataclass(frozen=True)
class Made:
    """Both tables of a competition, before they are written.

    Attributes:
        table: features and target of all rows.
        test: rows of the test table.
        ids: of the test table.
        sample: whether the sample submission is there.
    """

    table: pd.DataFrame
    test: np.ndarray
    ids: list
    sample: bool


def sensors(course: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return nine sensors that follow a course, feat_2 of pure noise."""
    slopes = rng.uniform(-3, 3, 9) * (np.arange(9) != 2)
    return pd.DataFrame(course[:, None] * slopes + rng.normal(0, 0.2, (len(course), 9)), columns=SENSORS)


def hourly_year(rng: np.random.Generator) -> Made:
    """An hourly table over more than a year: `minute` is constant, hours run from 1 to 24, days begin at 0.

    A sensor is constant, another is 0 most of the time, and the target falls below 0.
    """
    hour = np.sort(rng.choice(9700, 900, replace=False))
    course = np.sin(hour / 1500) + 0.3 * np.sin(hour / 24 * 2 * np.pi)
    table = sensors(course, rng).assign(feat_5=7.0, feat_6=np.where(course > 1.1, course, 0.0), feat_8=np.nan)
    table = table.assign(day=hour // 24, hour=hour % 24 + 1, minute=0.0).mask(rng.random((900, 12)) < 0.1)
    table.loc[7, "feat_1"] = np.inf
    return Made(table.assign(target=100 * course), rng.random(900) < 0.3, [], sample=True)


def one_day(rng: np.random.Generator) -> Made:
    """One row a minute on one day, eight sensors, text ids and no sample; the test table begins where training ends."""
    minute = np.arange(1440)
    course = np.sin(minute / 200)
    table = sensors(course, rng).drop(columns="feat_7").assign(day=1.0, hour=minute // 60, minute=minute % 60 + 0.5)
    table = table.mask(rng.random((1440, 11)) < 0.1)
    test = minute >= 1000
    table.loc[test, "feat_4"] = np.nan  # this sensor failed
    ids = [f"row {i:04d}" if i % 3 else f"{i:05d}" for i in range(440)]
    return Made(table.assign(target=500 + 100 * course), test, ids, sample=False)


def noise(rng: np.random.Generator) -> Made:
    """A hundred rows in no order of time: no sensor follows it, and all targets are the same."""
    table = pd.DataFrame(rng.normal(size=(100, 9)), columns=SENSORS)
    minute = rng.permutation(100)
    table = table.assign(day=3.0, hour=minute // 60, minute=minute % 60).mask(rng.random((100, 12)) < 0.1)
    return Made(table.assign(target=5.0), rng.random(100) < 0.3, [], sample=True)


def write(made: Made, folder: Path) -> list:
    """Write the competition's files, rows shuffled, and return the test table's ids."""
    folder.mkdir()
    order = np.random.default_rng(1).permutation(len(made.table))
    train, test = (made.table.iloc[order[made.test[order] == part]] for part in (False, True))
    ids = made.ids or list(range(len(test)))
    train.to_csv(folder / files.TRAIN, index=False)
    test.drop(columns="target").assign(id=ids).to_csv(folder / files.TEST, index=False)
    if made.sample:
        pd.DataFrame({"id": ids, "target": 0.0}).to_csv(folder / files.SAMPLE, index=False)
    return ids


@pytest.mark.story
@pytest.mark.parametrize(
    ("make", "messages"),
    [
        (hourly_year, ("feat_1 is infinite", "hour 24 is read as hour 0", "day is not from 0 to 366", "log(y +")),
        (one_day, ("not the competition's nine", "its fraction is cut off")),
        (noise, ()),
    ],
)
def test_the_notebook_plays_to_its_end(
    make: Callable[[np.random.Generator], Made], messages: tuple[str, ...], tmp_path: Path
) -> None:
    ids = write(make(np.random.default_rng(0)), tmp_path / "data")
    parameters = {"data_dir": str(tmp_path / "data"), "out_dir": str(tmp_path / "out"), "folds": 2, "weight_power": 1.0}
    target = tmp_path / "task1.ipynb"
    assert runs.execute(notebooks.find_notebook("task1"), target, parameters) is None
    rows = [row.rsplit(",", 1) for row in (tmp_path / "out/submission.csv").read_text().splitlines()[1:]]
    assert [name for name, _ in rows] == [str(name) for name in ids], "as they were, in their order"
    assert np.isfinite([float(value) for _, value in rows]).all()
    results = json.loads((tmp_path / "out/results.json").read_text())
    validation = {row["role"]: row["validation"] for row in results["rows"] if row["role"]}
    assert validation["ours"] <= validation["baseline"]
    output = [o for cell in nbformat.read(target, as_version=4).cells for o in cell.get("outputs", [])]
    warned = "".join(o["text"] for o in output if o.get("name") == "stderr")
    for words in messages:
        assert warned.count(words) <= 2, "once for each table"
        assert words in warned
    assert all(" row" in line or "target" in line or "sensors" in line for line in warned.splitlines()), warned
    printed = "".join(o["text"] for o in output if o.get("name") == "stdout")
    assert "miniature" not in printed
    assert "nan" not in printed.lower()
    assert "pure noise: " + (", ".join(SENSORS) if make is noise else "feat_2") in printed
