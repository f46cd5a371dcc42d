"""Our own prompts: disjoint words, grids, pairs."""

from __future__ import annotations

import pytest

from neoai_utils.diffusion.metric import KINDS
from neoai_utils.diffusion.prompts import HELD_OUT, HORSES, KEPT, PIGS, grid, pairs, pig_prompts, validation_prompts
from neoai_utils.errors import ParameterError


def test_validation_prompts_say_words_that_are_held_out():
    prompts, kinds = validation_prompts(3)
    assert (prompts, kinds) == validation_prompts(3)
    assert prompts != validation_prompts(4)[0]
    assert {kind: kinds.count(kind) for kind in KINDS} == {"horse": 24, "pig": 16, "neutral": 24}
    unseen = [word for words in HELD_OUT.values() for word in words]
    assert not {*HORSES, *PIGS, *KEPT} & set(unseen), "words to choose on are held out of edits"
    assert sum(any(word in prompt for word in unseen) for prompt in prompts) > len(prompts) / 2


def test_grids_and_pigs():
    assert len(set(grid(["horse"]))) == 30
    assert "a photo of an animal that gallops on grass" in grid(["animal that gallops"])
    assert pig_prompts(5)[:4] == [f"a {style} of a pig" for style in ("photo", "drawing", "sketch", "portrait")]
    with pytest.raises(ParameterError, match="between 1 and 24"):
        pig_prompts(25)


def test_pairs_differ_in_their_word_alone():
    made = pairs(["mare", "animal that gallops"])
    assert len(made) == 60
    assert ("mare", "pig") in made
    assert ("a photo of an animal that gallops on grass", "a photo of a pig on grass") in made
    assert all(goal in grid(["pig"]) for _, goal in made)
