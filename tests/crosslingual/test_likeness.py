"""Which sentences resemble others."""

from __future__ import annotations

import numpy as np

from neoai_utils.crosslingual.likeness import likeness

COMMANDS = [f"{verb} the {thing} in the {room}" for verb in ("open", "close", "stop") for thing in ("door", "fan")
            for room in ("kitchen", "hall", "garage")]  # fmt: skip
PHRASES = [f"to {verb} {rest}" for verb in ("meet", "make", "take", "give") for rest in ("the case", "good", "heed")]


def test_commands_among_phrases_are_found():
    values = likeness([*PHRASES, "open the fan in the hall"], COMMANDS, seed=0)
    assert values[-1] == 1
    assert (values[:-1] < 0.8).all()
    assert ((values >= 0) & (values <= 1)).all()


def test_sentences_of_one_kind_resemble_each_other():
    assert likeness(COMMANDS[::2], COMMANDS[1::2], seed=0).mean() > 0.7


def test_few_sentences_are_all_alike():
    assert np.array_equal(likeness(["open the door"], COMMANDS, seed=0), [1.0])
    assert likeness([], COMMANDS, seed=0).shape == (0,)
    assert np.array_equal(likeness(PHRASES, [], seed=0), np.ones(len(PHRASES)))
