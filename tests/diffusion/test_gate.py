"""The gate and the map behind the text encoder: texts that pass are changed, all others stay the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neoai_utils.diffusion import lexicon, prompts
from neoai_utils.diffusion.gate import Redirection, fit, passes_without_its_kind, redirected
from neoai_utils.diffusion.generation import draw
from neoai_utils.diffusion.texts import pooled, states, token_ids
from neoai_utils.errors import ParameterError
from tests.diffusion.conftest import FAST

PAIRS = [
    ("a photo of a mare", "a photo of a pig"),
    ("mare on grass", "pig on grass"),
    ("a sketch of a mare", "a sketch of a pig"),
]
OTHERS = ["a photo of a cow", "cow on grass", "a sketch of a pig", "star", ""]


@pytest.fixture
def fitted(pipe):
    with torch.no_grad():  # untrained, the encoder tells words apart too little for a regression
        table = pipe.text_encoder.get_input_embeddings().weight
        table[pipe.tokenizer("mare", add_special_tokens=False)["input_ids"][-1]] += 3.0
    return fit(pipe, PAIRS, OTHERS, 1e-6)


@torch.no_grad()
def test_only_sources_pass_the_gate(pipe, fitted):
    sources = [source for source, _ in PAIRS]
    assert (fitted.log_odds(pooled(pipe, sources)) > 0).all()
    assert (fitted.log_odds(pooled(pipe, OTHERS)) < 0).all()


@torch.no_grad()
def test_sources_are_read_as_targets_and_others_to_the_last_bit_as_before(pipe, fitted):
    goal, before = states(pipe, [PAIRS[0][1]]), states(pipe, OTHERS)
    old = states(pipe, [PAIRS[0][0]])
    with redirected(pipe, fitted):
        assert (states(pipe, [PAIRS[0][0]]) - goal).norm() < 0.5 * (old - goal).norm()
        assert torch.equal(states(pipe, OTHERS), before)
        mixed = states(pipe, [OTHERS[0], PAIRS[0][0]])
        assert torch.equal(mixed[0], before[0]), "a neighbour in the batch changes nothing"
    assert torch.equal(states(pipe, [PAIRS[0][0]]), old)


def test_the_pipeline_draws_by_it(pipe, fitted):
    def drawn(text):
        return np.asarray(draw(pipe, [text], FAST)[0]).astype(int)

    horse, cow = drawn(PAIRS[0][0]), drawn(OTHERS[0])
    with redirected(pipe, fitted):
        assert (drawn(PAIRS[0][0]) != horse).any()
        assert (drawn(OTHERS[0]) == cow).all()
    with redirected(pipe, Redirection(fitted.weight, -1e9, fitted.matrix)):
        assert (drawn(PAIRS[0][0]) == horse).all(), "no text passes so strict a gate"


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_odds_are_those_of_the_regression(seed):
    """The scaling of the inputs is folded into the weights; the odds are linear in the pooled states."""
    generator = torch.Generator().manual_seed(seed)
    weight, one, two = (torch.randn(5, generator=generator) for _ in range(3))
    odds = Redirection(weight, 0.5, torch.eye(5)).log_odds(torch.stack([one, two, one + two]))
    assert odds[2].item() == pytest.approx(odds[0].item() + odds[1].item() - 0.5, abs=1e-4)


def test_what_cannot_be_fitted(pipe):
    with pytest.raises(ParameterError, match="got 0 and 1"):
        fit(pipe, [], ["star"])
    with pytest.raises(ParameterError, match="got 1 and 0"):
        fit(pipe, prompts.pairs(["mare"])[:1], [])


def test_a_kind_is_judged_by_the_other_kinds():
    """Two kinds lie on the line that the other kinds teach, the third source kind on the wrong side."""
    rng = np.random.default_rng(0)
    centres = {"mare": 3.0, "stallion": 3.0, "riddle": -3.0, "mule": -3.0, "cow": -3.0, "house": -3.0}
    kinds = [kind for kind in centres for _ in range(20)]
    states = np.array([[centres[kind], 0.0] for kind in kinds]) + rng.normal(0, 0.1, (120, 2))
    is_source = np.array([kind in ("mare", "stallion", "riddle") for kind in kinds])
    passes = passes_without_its_kind(states.astype(np.float32), is_source, kinds)
    assert {kind: passes[np.array(kinds) == kind].mean() for kind in ("mare", "riddle")} == {"mare": 1.0, "riddle": 0.0}


@torch.no_grad()
def test_a_lexicon_decides_before_the_gate(pipe, fitted):
    """What it knows passes or not, whatever the gate says; about all else the gate decides as before."""
    behind = fitted.with_lexicon(lexicon.make(pipe, ["a star"], ["a mare"]))
    texts = ["star", PAIRS[0][0], OTHERS[0]]
    ids, inputs = token_ids(pipe, texts), pooled(pipe, texts)
    assert fitted.passes(ids, inputs).tolist() == [False, True, False]
    assert behind.passes(ids, inputs).tolist() == [True, False, False]
    before = states(pipe, texts)
    with redirected(pipe, behind):
        changed = (states(pipe, texts) != before).flatten(1).any(dim=1)
    assert changed.tolist() == [True, False, False]
