"""One row of the ladder: an edit is made, judged, and undone."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from neoai_utils.diffusion.experiment import Experiment, undone
from neoai_utils.diffusion.generation import fingerprint
from neoai_utils.runtime import PeakMemory
from tests.diffusion.conftest import FAST

PROMPTS, KINDS = ["a mare", "a sow", "a cow"], ["horse", "pig", "neutral"]


def bright(pictures, texts):
    """See a pig (the first text) in bright pictures, the second text in dark ones."""
    return np.array([int(np.asarray(picture).mean() < 128) for picture in pictures])


def brighter(pipe):
    pipe.unet.conv_out.bias.data.add_(1)


def test_an_edit_is_scored_and_undone(pipe):
    experiment = Experiment(pipe, bright, PROMPTS, KINDS, ["a foal"], FAST)
    before = (fingerprint(pipe.unet), fingerprint(pipe.text_encoder))
    outcome = experiment.run(brighter)
    assert (fingerprint(pipe.unet), fingerprint(pipe.text_encoder)) == before
    assert set(outcome.validation.parts) == {"official", *KINDS}
    assert len(outcome.pictures) == 1
    assert outcome.seconds >= 0
    assert experiment.run(brighter, tests=False).pictures == []


def test_test_prompts_are_drawn_by_the_edited_model_into_a_folder(pipe, tmp_path):
    experiment = Experiment(pipe, None, PROMPTS, KINDS, ["a foal"], FAST)
    before = fingerprint(pipe.unet)
    (picture,) = experiment.draw_tests(brighter, tmp_path)
    assert np.array_equal(np.asarray(picture), np.asarray(experiment.run(brighter).pictures[0]))
    assert (tmp_path / "00000.png").is_file()
    assert fingerprint(pipe.unet) == before


def test_grades_that_are_known_are_not_drawn_again(pipe, monkeypatch):
    experiment = Experiment(pipe, bright, PROMPTS, KINDS, ["a foal"], FAST)
    known = experiment.validate(brighter)
    assert experiment.run(brighter, tests=False).validation == known
    monkeypatch.setattr("neoai_utils.diffusion.experiment.draw", lambda *_: pytest.fail("drawn again"))
    assert experiment.run(brighter, tests=False, known=known).validation is known


def test_an_edit_that_acts_while_drawing(pipe):
    entered = []

    @contextmanager
    def hook():
        entered.append("in")
        yield
        entered.append("out")

    experiment = Experiment(
        pipe, lambda pictures, _: np.array([len(entered) % 2 - 1] * len(pictures)), PROMPTS, KINDS, [], FAST
    )
    assert experiment.validate(lambda _: hook()).score == 1.0
    assert entered == ["in", "out"]


def test_weights_come_back_after_an_error(pipe):
    before = (fingerprint(pipe.unet), fingerprint(pipe.text_encoder))
    with pytest.raises(RuntimeError), undone(pipe):
        pipe.text_encoder.get_input_embeddings().weight.data += 1
        raise RuntimeError
    assert (fingerprint(pipe.unet), fingerprint(pipe.text_encoder)) == before


def test_memory_of_a_block():
    with PeakMemory(torch.device("cpu")) as memory:
        held = torch.ones(2**27)  # 512 MB
        del held
    assert memory.megabytes is None or 400 < memory.megabytes < 600


def test_without_a_judge_own_pictures_are_not_drawn(pipe, monkeypatch):
    experiment = Experiment(pipe, None, PROMPTS, KINDS, ["a foal"], FAST)
    drawn = []
    monkeypatch.setattr(
        "neoai_utils.diffusion.experiment.draw", lambda _, prompts, *__: drawn.append(prompts) or ["picture"]
    )
    outcome = experiment.run(lambda pipe: None)
    assert (outcome.validation, outcome.pictures, drawn) == (None, ["picture"], [["a foal"]])
    assert experiment.validate(lambda pipe: pytest.fail("an edit is made for nothing")) is None
