"""The search for a strength, with a detector that counts a word."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neoai_utils.steering import models, search
from neoai_utils.steering.generation import Sampling
from neoai_utils.steering.hooks import adding
from neoai_utils.steering.metric import Window


class WordCount:
    """A detector that counts how often w7 occurs."""

    def score(self, texts):
        return np.array([float(text.split().count("w7")) for text in texts])


@pytest.fixture
def setup(llama, encoder) -> models.Setup:
    sampling = Sampling(new_tokens=8, batch=4)
    return models.Setup(llama, sampling, WordCount(), Window(-0.5, 0.5), encoder, (1,), lambda layer: None)


def test_the_scan_shows_where_steering_helps(setup, sentences) -> None:
    """The head's row of w7, subtracted before the last block, makes that word rarer; added, commoner."""
    validation = search.ValidationSet(sentences(12), sentences(12))
    row = setup.writer.model.get_output_embeddings().weight[4 + 7]
    results = search.scan(setup, validation, lambda s: {2: adding(row, s)}, [-600.0, 0.0, 600.0])
    assert results["window"][-600.0] >= results["window"][0.0] > results["window"][600.0]
    assert list(results.columns) == ["score", "window", "content", "perplexity"]
    grades = search.judge(setup, validation, search.write(setup, validation.prompts))
    assert results.loc[0.0].to_dict() == {"score": grades.score, **grades.parts}


def test_equal_scores_go_to_the_smallest_step() -> None:
    assert search.best(pd.DataFrame({"score": {-4.0: 0.5, 2.0: 0.5, 1.0: 0.4, 8.0: 0.5}})) == 2.0
