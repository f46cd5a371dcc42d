"""The broken model's files, with a tiny model in MiniLM's place."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neoai_utils.embeddings import files, miniature, models
from neoai_utils.embeddings.miniature import classifier


def test_miniature_has_the_competition_s_form(tiny_model, tmp_path, monkeypatch):
    """The whole build, with a tiny model in MiniLM's place."""

    def load():
        model, tokenizer = models.load(tiny_model)
        table, _ = models.embedding_table(model, tokenizer)
        models.set_embedding_table(model, np.where(table.any(axis=1, keepdims=True), table, np.float32(0.01)))
        return model, tokenizer

    monkeypatch.setattr(classifier, "load", load)
    folders = [tmp_path / name for name in ("data", "answers", "data2", "answers2")]
    for folder in folders:
        folder.mkdir()
    recipe = miniature.Recipe(seed=3, lost=40)
    facts = miniature.build(recipe, *folders[:2])
    given = files.read(folders[0])
    assert (len(given.val_texts), len(given.test_texts)) == (2500, 2499)
    assert not set(given.val_texts) & set(given.test_texts)
    assert given.test_ids == tuple(range(5000, 7499))
    model, tokenizer = models.load(given.model_dir)
    table, words = models.embedding_table(model, tokenizer)
    lost = [words[i] for i in np.flatnonzero(~table.any(axis=1))]
    assert len(lost) == facts["lost"] == 40
    assert not {"[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]"} & set(lost)
    assert "labels" not in pd.read_csv(folders[0] / "test.csv").columns
    assert 0 < facts["ceiling"] < 1

    assert miniature.build(recipe, *folders[2:]) == facts
    for path in sorted(p for p in folders[0].rglob("*") if p.is_file()):
        assert path.read_bytes() == (folders[2] / path.relative_to(folders[0])).read_bytes(), path.name
