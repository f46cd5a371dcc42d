"""Notebook 4 on a competition's files, with few pictures and a small network of random weights."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest

from neoai_utils.clustering import temi
from neoai_utils.commands.notebooks import find_notebook

mpl.use("Agg")


@pytest.mark.parametrize("ladder", [None, True])
def test_the_notebook_goes_on_to_a_submission(
    saved_network: tuple[Path, object],
    write_factors: Callable,
    tmp_path: Path,
    capsys,
    monkeypatch: pytest.MonkeyPatch,
    ladder: bool | None,
) -> None:
    monkeypatch.setattr(temi, "_STEPS", 20)
    data = tmp_path / "data"
    data.mkdir()
    write_factors(data, 100)
    network = str(saved_network[0])
    settings = {"data_dir": str(data), "out_dir": str(tmp_path / "out"), "network": network, "second_network": network}
    namespace: dict = {}
    for cell in nbformat.read(find_notebook("task4"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(settings, starts=2, orientations=2, ladder=ladder)
    printed = capsys.readouterr().out
    assert "miniature" not in printed
    assert not re.search(r"\bnan\b", printed)
    assert len(pd.read_csv(tmp_path / "out/submission.csv")) == 100
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert all(row["score"] is None for row in rows)
    roles = {"baseline", "published", "ours"} if ladder else {"ours"}
    assert {row["role"] for row in rows if row["role"]} == roles
    assert ("two networks" in {row["name"] for row in rows}) is bool(ladder)
    competing = {"+ whitened components", "+ looks at the negative", "the voters' consensus"}
    assert competing <= {row["name"] for row in rows if row["validation"] is not None}
