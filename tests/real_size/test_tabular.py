"""Task 1: the table in its real number of rows is read, and every feature of the notebook is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.real_size import FILES, ROWS
from neoai_utils.tabular import files
from neoai_utils.tabular.clock import TimeMap, minutes_of
from neoai_utils.tabular.group_means import group_means
from neoai_utils.tabular.imputation import median_fill_with_flags, regression_fill
from neoai_utils.tabular.smoothing import explained_by_time


@pytest.fixture(scope="module")
def tables(data: Path) -> files.Tables:
    FILES["task1"](data, 1.0)
    return files.read(data)


@pytest.fixture(scope="module")
def both(tables: files.Tables) -> pd.DataFrame:
    return pd.concat([tables.train, tables.test], ignore_index=True)


def test_the_tables_have_their_real_length(tables: files.Tables) -> None:
    count = ROWS["task1"]
    assert (len(tables.train), len(tables.test)) == (count["train"], count["test"]) == (40_704, 17_454)
    assert tables.target.shape == (40_704,)
    assert np.isfinite(tables.target).all()
    frame = files.submission(tables.test_ids, np.zeros(len(tables.test)))
    assert len(frame) == 17_454


def test_time_is_recovered_for_every_row(tables: files.Tables, both: pd.DataFrame) -> None:
    clock = minutes_of(both)
    assert clock.shape == (58_158,)
    assert 0.2 < np.isnan(clock).mean() < 0.8, "the clock has gaps to fill"
    shares = pd.Series({name: explained_by_time(both[name].to_numpy(), clock) for name in tables.sensors})
    sensors = tuple(shares[shares > max(0.02, 3 / np.sqrt(np.isfinite(clock).sum()))].index)
    assert sensors
    time_map = TimeMap.fit(both, sensors, width=1.0)
    probabilities = time_map.locate(both, cap=8.0)
    assert probabilities.shape == (58_158, len(time_map.times))
    assert np.allclose(probabilities.sum(axis=1), 1)
    recovered = time_map.features(probabilities)
    assert recovered.shape == (58_158, 1 + len(sensors))
    assert (recovered.dtypes == np.float64).all()
    assert np.isfinite(recovered.to_numpy()).all()
    known = np.isfinite(clock)
    assert np.allclose(recovered["time"][known] + time_map.start, clock[known])


def test_gaps_are_filled_and_hours_averaged(tables: files.Tables, both: pd.DataFrame) -> None:
    filled = regression_fill(both)
    assert filled.shape == both.shape
    assert np.isfinite(filled.to_numpy()).all()
    assert both.isna().any().any(), "there was something to fill"
    published = pd.concat(median_fill_with_flags(tables.train, tables.test), ignore_index=True)
    assert len(published) == 58_158
    assert published.notna().all().all()
    assert published.shape[1] > both.shape[1]
    hourly = group_means(both, ["day", "hour"], tables.sensors)
    assert hourly.shape == (58_158, len(tables.sensors))
    known = both[["day", "hour"]].notna().all(axis=1)
    assert hourly[known].notna().to_numpy().mean() > 0.9
