"""Notebook 5 on a competition's files without answers, with a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd

from neoai_utils.commands import imports
from neoai_utils.commands.notebooks import find_notebook
from neoai_utils.embeddings import evaluation

mpl.use("Agg")


def test_only_what_the_submission_needs_is_played(competition: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    """No test text is classified for a row that nobody grades, and no outside data is looked at."""
    for name in ("val_dataset.csv", "test.csv"):
        pd.read_csv(competition / name).head(600).to_csv(competition / name, index=False)
    classified: list[int] = []
    logits = evaluation.logits
    monkeypatch.setattr(
        evaluation, "logits", lambda model, texts: classified.append(len(texts)) or logits(model, texts)
    )
    namespace: dict = {}
    for cell in nbformat.read(find_notebook("task5"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(data_dir=str(competition), out_dir=str(tmp_path / "out"))
    assert classified == [600] * 2 + [300] * 6 + [600] * 2, "two rows, three stretches, the last row, the test"
    assert len(pd.read_csv(tmp_path / "out/submission.csv")) == 600
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    roles = [row["role"] for row in rows]
    assert roles in (["baseline", "published", "ours"], ["baseline", "published", None, "ours"]), "ours, or handed in"
    assert (rows[-1]["name"].startswith("handed in: ")) is (len(rows) == 4)
    assert all(row["validation"] is not None and row["score"] is None for row in rows)
    printed = capsys.readouterr().out.lower()
    assert "nan" not in printed.replace(":", " ").split()
    assert not {"miniature", "wordsim353", "left out"} & set(printed.split())


def test_the_upload_carries_no_outside_data() -> None:
    assert not [path for path in imports.collect("task5").files if "/offline/" in path or "word_pairs" in path]
