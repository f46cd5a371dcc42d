"""Notebook 2 on a competition's files, with a tiny network and without answers."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest

from neoai_utils.commands.notebooks import find_notebook

mpl.use("Agg")


HEADS = [
    "untouched", "imprinted head", "imprinted, mirrored", "shifted", "balanced", "neighbours averaged, balanced",
    "new head on predicted labels",
]  # fmt: skip
NETWORKS = [
    "organisers' baseline", "published: gentle, distilled", "network on predicted labels",
    "network on predicted labels, balanced",
]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "validated"),
    [({}, HEADS + NETWORKS), ({"train_network": False}, HEADS), ({"use_test_pictures": False}, [])],
    ids=["whole", "no training", "no test pictures"],
)
def test_the_rows_of_the_choice_are_played(
    competition: Path, tmp_path: Path, capsys, settings: dict, validated: list[str]
) -> None:
    """All rows that compete have a validation, nothing is NaN, and no line speaks of the miniature."""
    given = {"data_dir": str(competition), "out_dir": str(tmp_path / "out"), "epochs": 1, **settings}
    namespace: dict = {"display": print}
    shown = []
    for cell in nbformat.read(find_notebook("task2"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
            last = cell.source.strip().splitlines()[-1]
            shown += [repr(namespace["workspace"].summary())] if last == "workspace.summary()" else []
            shown += [repr(namespace["workspace"].ladder)] if last == "workspace.ladder" else []
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(given)
    printed = capsys.readouterr().out + "".join(shown)
    assert len(shown) == 2
    assert "miniature" not in printed
    assert "nan" not in printed.lower()
    assert len(pd.read_csv(tmp_path / "out/submission.csv")) == 4
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    found = {row["name"].removeprefix("handed in: ") for row in rows if row["validation"] is not None}
    assert found == set(validated)
    ours = rows[-1]
    assert ours["role"] == "ours"
    assert ours["name"].removeprefix("handed in: ") in (validated or ["shifted"])
    assert all(row["validation_error"] is not None for row in rows if row["validation"] is not None)
    assert all(row["score"] is None for row in rows)
