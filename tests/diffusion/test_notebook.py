"""Notebook 6 on a competition's files, with a tiny pipeline, without a judge and with one."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import nbformat
import numpy as np
import pandas as pd
import pytest

from neoai_utils import clips
from neoai_utils.commands.notebooks import find_notebook
from neoai_utils.diffusion import generation, hours
from neoai_utils.diffusion import judge as judges
from neoai_utils.errors import AssetError

mpl.use("Agg")


def play(pipe, folder: Path, **parameters: object) -> list[dict]:
    """Play all cells on three prompts without answers; return the rows of the ladder."""
    pipe.save_pretrained(folder / "model")
    (folder / "data").mkdir()
    (folder / "data/prompts.json").write_text(json.dumps({"0": "a mare", "1": "a pig", "2": "a star"}))
    settings = {"data_dir": str(folder / "data"), "out_dir": str(folder / "out"), "model": str(folder / "model")}
    namespace: dict = {}
    for cell in nbformat.read(find_notebook("task6"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(settings, steps=2, **parameters)
    assert len(pd.read_csv(folder / "out/submission.csv")) == 3
    return json.loads((folder / "out/results.json").read_text())["rows"]


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
    rows = play(pipe, tmp_path, judge=judge)
    printed = capsys.readouterr().out
    assert printed.count("No judge for our own pictures: validation is unknown") == 1
    assert printed.count("Left out: ") == (left_out is not None)
    assert left_out is None or left_out in printed
    assert [row["role"] for row in rows] == [None, "ours"], "the rows of the choice"
    assert [(row["score"], row["validation"]) for row in rows] == [(None, None)] * 2


def test_with_a_judge_as_many_pictures_are_drawn_as_announced(pipe, tmp_path: Path, monkeypatch, capsys) -> None:
    """Nothing is drawn twice and no test picture for a row that is not handed in; nothing printed is NaN or absent."""
    drawn: list[int] = []
    announced: list[int] = []
    draw_batch = generation._draw_batch

    def counted(pipe, prompts, part, *rest):
        drawn.append(len(part))
        return draw_batch(pipe, prompts, part, *rest)

    monkeypatch.setattr(generation, "_draw_batch", counted)
    monkeypatch.setattr(hours, "announce", lambda pipe, sampling, pictures: announced.append(pictures))
    monkeypatch.setattr(judges, "open_judge", lambda *_: lambda pictures, texts: np.arange(len(pictures)) % 3)
    rows = play(pipe, tmp_path)
    assert [sum(drawn)] == announced == [3 + 36 * 4 + 10]
    roles = {row["name"]: row["role"] for row in rows}
    assert roles == {"UCE: words, keep list": None, "gate and map": "ours"}, "a tie goes to the gate"
    assert all(row["validation"] is not None and row["score"] is None for row in rows)
    printed = capsys.readouterr().out.lower()
    assert "nan" not in printed.split()
    assert "miniature" not in printed
