"""Redirected words, and the ranking of the vocabulary."""

from __future__ import annotations

import pytest
import torch

from neoai_utils.diffusion.redirection import rank_words, redirect_words
from neoai_utils.diffusion.texts import states
from neoai_utils.errors import ParameterError


def test_a_redirected_word_reads_as_its_target(pipe):
    pig, horse, cow = (states(pipe, [f"a photo of a {word}"]).detach() for word in ("pig", "horse", "cow"))
    redirect_words(pipe, ["horse"], "pig")
    assert torch.allclose(states(pipe, ["a photo of a horse"]), pig, atol=1e-6)
    assert torch.equal(states(pipe, ["a photo of a cow"]), cow)
    assert not torch.allclose(horse, pig, atol=1e-3)
    with pytest.raises(ParameterError, match="no token"):
        redirect_words(pipe, [""], "pig")


def test_words_are_ranked_by_what_they_mean(pipe):
    source, others = ["horse", "mare"], ["donkey", "zebra"]
    before = rank_words(pipe, source, others)
    values = [value for _, value in before]
    assert values == sorted(values, reverse=True)
    assert not {word for word, _ in before} & {*source, *others}
    assert {"rocket", "bell", "mustang"} <= {word for word, _ in before}
    redirect_words(pipe, ["rocket"], "horse")
    after = rank_words(pipe, source, others)
    assert dict(after)["rocket"] > dict(before)["rocket"]
    assert list(dict(after)).index("rocket") < list(dict(before)).index("rocket")
