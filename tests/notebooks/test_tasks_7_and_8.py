"""Notebooks 7 and 8 on tiny folders of the competition's form, without answers and with networks of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest

from benchmarks import real_size
from neoai_utils.commands import notebooks
from neoai_utils.commands import run as runs
from tests.notebooks.conftest import FOREIGN, said

SMALL = {"num_hidden_layers": 4, "num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 16}


def played(task: str, data: Path, folder: Path, parameters: dict[str, object]) -> tuple[str, dict]:
    """Play a notebook on a folder; return what its cells print and its results."""
    parameters = {"data_dir": str(data), "out_dir": str(folder / "out"), **parameters}
    target = folder / f"{task}.ipynb"
    assert runs.execute(notebooks.find_notebook(task), target, parameters) is None
    book = nbformat.read(target, as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.get("name") == "stderr"]
    text = said(target)
    assert not FOREIGN.findall(text), text
    return text, json.loads((folder / "out/results.json").read_text(encoding="utf-8"))


@pytest.mark.story
def test_task_7(tmp_path: Path) -> None:
    data, clip = tmp_path / "data", tmp_path / "clip"
    data.mkdir()
    clip.mkdir()
    real_size.task7(data, 0.005)
    real_size._save_clip(clip, {"vision": SMALL | {"image_size": 56, "patch_size": 4}, "text": SMALL}, 12)
    text, results = played("task7", data, tmp_path, {"backbone": str(clip)})
    rows = {row["role"]: row for row in results["rows"] if row["role"]}
    assert set(rows) == {"baseline", "published", "ours"}
    best = max(results["rows"], key=lambda row: row["validation"])
    assert rows["ours"]["validation"] >= best["validation"] - 2 * best["validation_error"]  # tied, or the best itself
    assert results["data"] == "competition"
    assert "photographs of birds" in text
    assert len((tmp_path / "out/submission.csv").read_text().splitlines()) == 6


@pytest.mark.story
@pytest.mark.parametrize("raw", [True, False])
def test_task_8(tmp_path: Path, raw: bool) -> None:
    """With pairs and texts, and with the labelled files alone."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    data, encoder = tmp_path / "data", tmp_path / "encoder"
    data.mkdir()
    real_size.task8(data, 0.002)
    if not raw:
        (data / "ru_en_pairs.jsonl").write_text('{"ru": "да.", "en": "yes."}\n', encoding="utf-8")
        (data / "unlabeled_texts.txt").write_text("да\n", encoding="utf-8")
    special = {
        "unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "sep_token": "</s>", "cls_token": "<s>",
        "mask_token": "<mask>",
    }  # fmt: skip
    english, russian = real_size._two_languages()
    tokenizer = real_size.word_tokenizer(encoder, [*english, *russian], **special)
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=80, type_vocab_size=1, pad_token_id=1, **SMALL
    )
    XLMRobertaModel(config).save_pretrained(encoder)
    text, results = played("task8", data, tmp_path, {"encoder_id": str(encoder), "steps": 4})
    names = {row["name"] for row in results["rows"]}
    assert {"tags on first tokens", "code-switching", "projection", "projection and code-switching"} <= names
    assert not {"organisers' baseline", "more pretraining", "projection, one direction"} & names
    ours = next(row for row in results["rows"] if row["role"] == "ours")
    best = max(row["validation"] for row in results["rows"])
    assert ours["validation"] >= best - 2 * ours["validation_error"]
    assert np.isfinite(ours["validation"])
    assert "4 updates of 8 sentences" in text
