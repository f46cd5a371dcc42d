"""Notebook 6 on a competition's files, with a tiny pipeline and without a judge."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest

from neoai_utils import clips
from neoai_utils.commands.notebooks import find_notebook
from neoai_utils.errors import AssetError

mpl.use("Agg")


@pytest.mark.parametrize(
    ("judge", "left_out"),
    [
        ("", None),
        ("given", "Left out: the judge (AssetError: cannot load open_clip's ViT-H-14/laion2b_s32b_b79k: no network)"),
    ],
    ids=["none", "offline"],
)
def test_the_notebook_goes_on_to_a_submission(pipe, tmp_path: Path, monkeypatch, capsys, judge: str, left_out) -> None:
    def offline(name: str, *_: object) -> None:
        raise AssetError(f"cannot load open_clip's {name}: no network")

    monkeypatch.setattr(clips, "load_open_clip", offline)
    pipe.save_pretrained(tmp_path / "model")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/prompts.json").write_text(json.dumps({"0": "a mare", "1": "a pig", "2": "a star"}))
    settings = {"data_dir": str(tmp_path / "data"), "out_dir": str(tmp_path / "out"), "model": str(tmp_path / "model")}
    namespace: dict = {}
    for cell in nbformat.read(find_notebook("task6"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(settings, steps=2, judge=judge, ladder=False)
    printed = capsys.readouterr().out
    assert printed.count("No judge for our own pictures: validation is unknown") == 1
    assert printed.count("Left out: ") == (left_out is not None)
    assert left_out is None or left_out in printed
    assert len(pd.read_csv(tmp_path / "out/submission.csv")) == 3
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert [row["role"] for row in rows] == [None, "ours"], "the rows of the choice"
    assert [(row["score"], row["validation"]) for row in rows] == [(None, None)] * 2
