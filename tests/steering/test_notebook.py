"""Notebook 3 on a competition's files, with tiny models of the competition's classes in folders."""

from __future__ import annotations

import json
import re
from pathlib import Path

import matplotlib as mpl
import nbformat
import pandas as pd
import pytest

from neoai_utils.commands.notebooks import find_notebook
from neoai_utils.steering import models

mpl.use("Agg")


@pytest.fixture
def folders(tmp_path: Path, words, sae, sentences) -> dict[str, str]:
    """Write prompts, pairs, a writer of 20 blocks, a detector and five SAEs; return the parameters that name them."""
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification, Gemma2Config, Gemma2ForCausalLM

    Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=64, hidden_size=24, intermediate_size=32, num_hidden_layers=20, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )
    ).save_pretrained(tmp_path / "writer")  # fmt: skip
    DebertaV2ForSequenceClassification(
        DebertaV2Config(
            vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
            num_labels=1,
        )
    ).save_pretrained(tmp_path / "detector")  # fmt: skip
    for name in ("writer", "detector"):
        words.save_pretrained(tmp_path / name)
    for layer in range(14, 19):
        sae.save_model(tmp_path / f"saes/block{layer}")
    (tmp_path / "data").mkdir()
    pd.DataFrame({"prompt": sentences(5)}).to_csv(tmp_path / "data/test.csv", index=False)
    answers = {name: [str([text]) for text in sentences(60, n)] for n, name in ((1, "human"), (2, "chatgpt"))}
    pairs = pd.DataFrame({f"{name}_answers": texts for name, texts in answers.items()})
    pairs.assign(question=sentences(60, 3), source="made").to_csv(tmp_path / "data/hc3.csv", index=False)
    return {name: str(tmp_path / name) for name in ("writer", "detector", "saes")}


@pytest.mark.parametrize("ladder", [None, True])
def test_the_notebook_goes_on_to_a_submission(
    folders: dict[str, str], encoder, tmp_path: Path, monkeypatch, capsys, ladder: bool | None
) -> None:
    monkeypatch.setattr(models, "load_encoder", lambda: encoder)
    settings = {"data_dir": str(tmp_path / "data"), "out_dir": str(tmp_path / "out"), **folders}
    namespace: dict = {}
    for cell in nbformat.read(find_notebook("task3"), as_version=4).cells:
        if cell.cell_type == "code" and "parameters.check" not in cell.source:
            exec(cell.source, namespace)
        if "parameters" in cell.metadata.get("tags", []):
            namespace.update(settings, texts=20, validation_prompts=8, new_tokens=4, dtype="float32", ladder=ladder)
    printed = capsys.readouterr().out
    assert "miniature" not in printed
    assert not re.search(r"\bnan\b", printed)
    assert "hours on this processor" in printed
    assert len(pd.read_csv(tmp_path / "out/submission.csv")) == 5
    rows = json.loads((tmp_path / "out/results.json").read_text())["rows"]
    assert all(row["score"] is None and row["validation"] is not None for row in rows)
    roles = [row["role"] for row in rows if row["role"]]
    assert roles == ["baseline", "published", "ours"] if ladder else ["baseline", "ours"]
