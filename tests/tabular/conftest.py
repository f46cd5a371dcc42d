"""A small made-up machine in the competition's exact format, and the real size where only files are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

FEATURES = [f"feat_{i}" for i in range(9)] + ["day", "hour", "minute"]


def table(rows: int, seed: int, gaps: float = 0.1) -> pd.DataFrame:
    """Return random features: sensors that follow a clock from day 1 03:00 to day 2 17:59, with gaps."""
    rng = np.random.default_rng(seed)
    time = rng.integers(180, 2520, rows)
    sensors = {f"feat_{i}": 100 * i + time / 7 + rng.normal(0, 1, rows) for i in range(9)}
    clock = {"day": time // 1440 + 1, "hour": time // 60 % 24, "minute": time % 60}
    frame = pd.DataFrame(sensors | clock).astype("float64")
    return frame.mask(rng.random(frame.shape) < gaps)


def write(folder: Path, train_rows: int = 300, test_rows: int = 80) -> Path:
    """Write the three files as Kaggle gives them: no id in train, the id last in test."""
    folder.mkdir(parents=True, exist_ok=True)
    train, test = table(train_rows, 1), table(test_rows, 2)
    target = np.random.default_rng(3).uniform(137, 865, train_rows)
    train.assign(target=target).to_csv(folder / "train_tables.csv", index=False)
    test.assign(id=range(test_rows)).to_csv(folder / "test_tables.csv", index=False)
    sample = pd.DataFrame({"id": range(test_rows), "target": 0.0})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.fixture
def competition(tmp_path: Path) -> Path:
    return write(tmp_path / "competition")


@pytest.fixture
def write_competition() -> Callable[..., Path]:
    return write


@pytest.fixture
def make_table() -> Callable[..., pd.DataFrame]:
    return table
