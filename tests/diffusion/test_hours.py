"""The announcement of a run that takes long."""

from __future__ import annotations

import pytest

from neoai_utils.diffusion import hours
from neoai_utils.runtime import LONG_HOURS
from tests.diffusion.conftest import FAST


def test_stable_diffusion_on_four_cores():
    """7 s a step: 336 pictures of 30 steps are 21 hours, eight steps fit into six."""
    steps, left = hours.shorter(7.0, 5.0, 336)
    assert steps == 7
    assert left == pytest.approx(336 * (8 * 7 + 5) / 3600)
    assert 336 * (9 * 7 + 5) / 3600 > LONG_HOURS >= left
    assert hours.shorter(1e6, 0.0, 9)[0] == 1


def test_only_a_long_run_is_announced(pipe, capsys):
    hours.announce(pipe, FAST, 3)
    assert capsys.readouterr().out == ""
    hours.announce(pipe, FAST, 10**9)
    printed = capsys.readouterr().out
    assert printed.startswith("THIS TAKES LONG: drawing 1000000000 pictures of 2 steps takes about ")
    assert "set the parameter steps to 1: about " in printed
    assert printed.count("\n") == 1
