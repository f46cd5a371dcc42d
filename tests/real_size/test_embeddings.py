"""Task 5: BERT-base with 30,522 rows, of which 12,208 are zero: the main repair and the predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.real_size import FILES, MODELS
from neoai_utils.embeddings import cooccurrence, damage, evaluation, files, gaussian_process, models, ngrams, stacking
from neoai_utils.offline import OutOfReachError

pytestmark = pytest.mark.assets  # the tokenizer of bert-base-uncased


@pytest.fixture(scope="module")
def loaded(folder: Path, data: Path) -> tuple[Any, Any]:
    """Give model and tokenizer; some of the texts lie beside them."""
    try:
        made = MODELS["task5"](folder / "models")
        FILES["task5"](data, 0.04)
    except OutOfReachError as error:
        pytest.skip(str(error))
    return models.load(str(made["model_id"]))


def test_lost_rows_are_repaired_and_texts_predicted(loaded: tuple[Any, Any], data: Path) -> None:
    model, tokenizer = loaded
    given = files.read(data)
    table, tokens = models.embedding_table(model, tokenizer)
    assert (table.shape, table.dtype) == ((30_522, 768), np.float32)
    broken = damage.find(table, tokens)
    assert len(broken.lost) == 12_208
    val_tokens, test_tokens = (evaluation.tokenize(tokenizer, some) for some in (given.val_texts, given.test_texts))
    texts = val_tokens + test_tokens
    before = evaluation.logits(model, test_tokens[:2])

    spelling = ngrams.features(tokens)
    assert spelling.shape[0] == 30_522
    from_spelling = ngrams.ridge(spelling, broken)
    probe = cooccurrence.frequent(broken.donors, tokens, cooccurrence.counts(texts, len(tokens)))
    hidden = damage.cross_fit(lambda case: ngrams.ridge(spelling, case), broken, probe)
    corrected, left_out = gaussian_process.correct_by_context(broken, texts, from_spelling, probe, hidden)
    assert (left_out.shape, left_out.dtype) == ((len(probe), 768), np.float32)
    assert (corrected != from_spelling).any(axis=1).sum() > 100, "contexts correct the tokens that they know"
    final = stacking.match_norm(broken, corrected, 0.5)
    for rows in (from_spelling, corrected, final):
        assert (rows.shape, rows.dtype) == ((12_208, 768), np.float32)
        assert np.isfinite(rows).all()
        assert (np.linalg.norm(rows, axis=1) > 0).mean() > 0.99

    models.set_embedding_table(model, damage.repaired(broken, final))
    after = evaluation.logits(model, test_tokens[:2])
    assert (after.shape, np.isfinite(after).all()) == ((2, 3), True)
    assert not np.allclose(before, after, atol=1e-6), "the texts hold lost tokens"
    answer = evaluation.predict(model, test_tokens[:2])
    assert answer.shape == (2,)
    assert set(answer.tolist()) <= {0, 1, 2}
    assert len(files.submission(given.test_ids[:2], answer)) == 2
