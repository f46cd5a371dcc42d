"""The search for a strength, with a detector that counts a word."""

from __future__ import annotations

import numpy as np
import pytest

from neoai_utils.scores import Grades
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
    found = search.scan(setup, validation, lambda s: {2: adding(row, s)}, [-600.0, 0.0, 600.0])
    results = search.table(found)
    assert results["window"][-600.0] >= results["window"][0.0] > results["window"][600.0]
    assert list(results.columns) == ["score", "error", "window", "content", "perplexity"]
    texts = search.write(setup, validation.prompts)
    grades = search.judge(setup, validation, texts)
    assert found[0.0].texts == texts
    assert results.loc[0.0].to_dict() == {"score": grades.score, "error": grades.error, **grades.parts}


def trials(scores: dict[float, float]) -> dict[float, search.Trial]:
    return {strength: search.Trial({}, [], Grades(score), 0.0) for strength, score in scores.items()}


@pytest.mark.parametrize(("top", "near"), [(8.0, [4.0, 6.0, 12.0, 16.0]), (-0.5, [-1.0, -0.75, -0.375, -0.25])])
def test_the_scan_of_both_signs_goes_on_around_the_best(setup, monkeypatch, top: float, near: list[float]) -> None:
    def scan(_setup, _validation, _make, strengths):
        return trials({s: -abs(s - top) for s in strengths})

    monkeypatch.setattr(search, "scan", scan)
    found = search.scan_both_signs(setup, None, lambda strength: {})
    assert list(found) == sorted([-8.0, -2.0, -0.5, 0.5, 2.0, 8.0, *near])
    assert search.best(found) == top


def test_equal_scores_go_to_the_smallest_step() -> None:
    assert search.best(trials({-4.0: 0.5, 2.0: 0.5, 1.0: 0.4, 8.0: 0.5})) == 2.0


def test_the_hours_come_from_a_first_pass_and_the_steps_after_it(setup, sentences, monkeypatch) -> None:
    """A pass over twenty prompts takes ten seconds, each later token one second: 8 tokens take 17 seconds."""
    clock = [0.0]

    class Watch:
        def __enter__(self):
            self.start = clock[0]
            return self

        def __exit__(self, *_):
            self.seconds = clock[0] - self.start

    def generate(writer, prompts, sampling):
        assert len(prompts) == 20
        clock[0] += 10 + (sampling.new_tokens - 1)

    monkeypatch.setattr(search, "stopwatch", Watch)
    monkeypatch.setattr(search, "generate", generate)
    assert search.estimated_hours(setup, sentences(50), 200) == pytest.approx(10 * 17 / 3600)
